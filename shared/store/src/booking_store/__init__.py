"""Event streams on PostgreSQL: load, append, history."""
