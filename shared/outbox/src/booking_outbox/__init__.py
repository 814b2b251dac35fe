"""Marks, relay and republish: every committed event reaches Kafka."""

from booking_outbox.ddl import ddl

__all__ = ["ddl"]
