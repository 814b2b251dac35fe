"""Which brokers were reached, so that a copy that starts while Kafka is away is told from one with a wrong address."""

from booking_process.migrations import alteration

revision = "0005"
down_revision = "0004"
upgrade, downgrade = alteration("booking_process", "broker_v1")
