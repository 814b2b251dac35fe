"""What must agree at the end: stored events and ids in Kafka; calendar rows and sessions that ever had a date."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from booking_contracts.topics import ERASURES, SESSIONS, TRANSACTIONS, Topic
from booking_proof.demo.output import Output
from booking_proof.demo.system import System, see

_STORES: dict[str, tuple[Topic, ...]] = {"checkout": (TRANSACTIONS, ERASURES), "consultation": (SESSIONS,)}
_EVER_DATED = "SELECT count(DISTINCT stream_id) AS n FROM events WHERE type = 'SessionScheduled'"


async def compare_counts(system: System, output: Output) -> None:
    """Prints the counts. Raises Failure when they don't come to agree."""
    output.step("Nothing lost, nothing twice: the counts")
    rows: list[list[str]] = []
    for database, topics in _STORES.items():
        stored = (await system.query(database, "SELECT count(*) AS n FROM events"))[0]["n"]

        async def in_kafka(topics: tuple[Topic, ...] = topics, stored: int = stored) -> tuple[int, int] | None:
            distinct, all_of_them = await _ids(system.endpoints["kafka"], topics)
            return (distinct, all_of_them) if distinct >= stored else None

        distinct, copies = await system.until(f"all {stored} events of {database} in Kafka", in_kafka)
        extra = f"{copies - distinct} extra copies" if copies > distinct else "no extra copy"
        rows.append([f"events stored by {database}", str(stored), "distinct ids in Kafka", f"{distinct} ({extra})"])
    dated = (await system.query("consultation", _EVER_DATED))[0]["n"]

    async def in_calendar() -> int | None:
        found: dict[str, Any] = (await system.query("calendar", "SELECT count(*) AS n FROM user_schedule"))[0]
        return found["n"] if found["n"] == dated else None

    shown = await system.until(f"{dated} rows in user_schedule", in_calendar)
    rows.append(["sessions that ever had a date", str(dated), "rows of user_schedule", str(shown)])
    output.table("", ["here", "count", "there", "the same"], rows)


async def _ids(bootstrap: str, topics: tuple[Topic, ...]) -> tuple[int, int]:
    """How many distinct event ids, and how many records, these topics hold."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ids: set[str] = set()
        records = 0
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            batches = await consumer.getmany(timeout_ms=500)
            seen = [see(record) for batch in batches.values() for record in batch]
            records += len(seen)
            ids.update(one.id for one in seen if one is not None)
        return len(ids), records
    finally:
        await consumer.stop()
