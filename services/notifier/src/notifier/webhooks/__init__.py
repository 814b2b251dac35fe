"""Webhooks by the Standard Webhooks specification: events to the addresses that an admin registered, at least once."""
