"""Sending: claim a due message, send it outside any transaction, record what the provider said."""
