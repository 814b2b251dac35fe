"""user_schedule, calendar API and feeds."""
