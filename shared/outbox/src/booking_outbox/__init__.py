"""Marks, relay and republish: every committed event reaches Kafka."""
