"""What a consumer counts; docs/operations.md says what to do about it."""

from prometheus_client import Counter, Gauge

RECORDS = Counter("booking_consumer_records", "Records by what became of them (I13).", ["consumer", "topic", "outcome"])
DRAINED = Counter("booking_consumer_drained", "Held records applied when their turn came.", ["consumer", "topic"])
RETRIES = Counter("booking_consumer_retries", "Tries that failed, by kind.", ["consumer", "topic", "kind"])
CLIENTS_REPLACED = Counter("booking_consumer_clients_replaced", "Stuck Kafka clients thrown away.", ["consumer"])
LAG_EVENTS = Gauge("booking_consumer_lag_events", "Records not settled yet.", ["consumer", "topic", "partition"])
LAG_SECONDS = Gauge(
    "booking_consumer_lag_seconds",
    "Age of the last settled record while others wait.",
    ["consumer", "topic", "partition"],
)
ASSIGNED = Gauge("booking_consumer_assigned_partitions", "Partitions of this copy.", ["consumer"])
PAUSED = Gauge("booking_consumer_paused_partitions", "Partitions paused for too many gaps.", ["consumer"])
HELD_KEYS = Gauge("booking_consumer_held_keys", "Keys with held records.", ["consumer", "topic", "reason"])
HELD_OLDEST = Gauge(
    "booking_consumer_held_oldest_seconds", "Age of the oldest held record.", ["consumer", "topic", "reason"]
)
