"""Real PostgreSQL and real Kafka from packages: no Docker, nothing installed by hand (architecture.md)."""
