"""Email and WhatsApp, reminders, preferences."""
