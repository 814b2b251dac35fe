"""What the notifier answers over HTTP (api.md)."""
