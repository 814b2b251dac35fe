"""WhatsApp by Meta's Cloud API: approved templates, one HTTP call, signed status webhooks."""
