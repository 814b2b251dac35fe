"""`booking events`: the streams as they are stored and as they are published."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.failure import Failure
from booking_local.stack import control

events = typer.Typer(no_args_is_help=True, help="Events, as stored and as published.")
_SHOW = """SELECT version, type, type_version, data::text AS data, metadata ->> 'actor' AS actor, id::text AS id,
       recorded_at
FROM events WHERE stream_id = %s ORDER BY version"""


@events.command()
def show(
    stream: Annotated[uuid.UUID, typer.Argument(help="A Transaction's or a session's id.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """One aggregate's events, from its service's store."""
    import psycopg
    from psycopg.rows import dict_row

    endpoints = control.endpoints(layout_of(state))
    for service in ("checkout", "consultation"):
        with psycopg.connect(endpoints["postgres"][service]) as store, store.cursor(row_factory=dict_row) as rows:
            found = rows.execute(_SHOW, [stream]).fetchall()
        if found:
            for row in found:
                row["data"] = json.loads(row["data"])
                print(json.dumps(row, default=str) if as_json else _stored(row))
            return
    raise Failure(f"No service has a stream {stream}.")


@events.command()
def tail(
    *,
    topic: Annotated[list[str] | None, typer.Option(help="A topic, or the end of its name [default: all].")] = None,
    key: Annotated[str | None, typer.Option(help="Only records of this key.")] = None,
    since: Annotated[
        str, typer.Option("--from", help="`beginning`, `end`, or an instant such as 2026-12-01T09:00:00Z.")
    ] = "end",
    follow: Annotated[bool, typer.Option(help="Wait for more; else end at the topics' present ends.")] = True,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Print records as they are published, until Ctrl-C."""
    endpoints = control.endpoints(layout_of(state))

    async def run() -> None:
        async for record in _records(control.brokers(endpoints), topic or [""], since, follow=follow):
            if key is None or record["key"] == key:
                print(json.dumps(record) if as_json else _published(record), flush=True)

    asyncio.run(run())


async def _records(bootstrap: str, names: list[str], since: str, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from booking_contracts.brokers import client_options
    from booking_contracts.deadlines import connected
    from booking_contracts.topics import TOPICS

    topics = [topic for topic in TOPICS if any(name in topic.name for name in names)]
    if not topics:
        raise Failure(f"No topic is named {names[0]}: {', '.join(topic.name for topic in TOPICS)}.")
    partitions = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
    consumer = AIOKafkaConsumer(**client_options(bootstrap), enable_auto_commit=False)
    async with connected(consumer):
        consumer.assign(partitions)
        await _seek(consumer, partitions, since)
        ends = await consumer.end_offsets(partitions)
        left = {one for one in partitions if await consumer.position(one) < ends[one]}
        while follow or left:
            for partition, batch in (await consumer.getmany(timeout_ms=200)).items():
                for record in batch:
                    if follow or record.offset < ends[partition]:
                        yield _readable(record)
                if await consumer.position(partition) >= ends[partition]:
                    left.discard(partition)


async def _seek(consumer: Any, partitions: list[Any], since: str) -> None:
    if since in ("beginning", "earliest"):
        await consumer.seek_to_beginning(*partitions)
        return
    await consumer.seek_to_end(*partitions)
    if since in ("end", "latest"):
        return
    try:
        instant = datetime.fromisoformat(since)
    except ValueError:
        raise Failure(
            f"--from {since} is neither `beginning` nor `end` nor an instant like 2026-12-01T09:00Z."
        ) from None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, int(instant.timestamp() * 1000)))
    for partition, place in found.items():
        if place is not None:
            consumer.seek(partition, place.offset)


def _readable(record: Any) -> dict[str, Any]:
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers if value is not None}
    value = None if record.value is None else record.value.decode("utf-8", "replace")
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "at": datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat().replace("+00:00", "Z"),
        "key": None if record.key is None else record.key.decode("utf-8", "replace"),
        "headers": headers,
        "value": value,
    }


def _stored(row: dict[str, Any]) -> str:
    what = f"{row['version']:>3}  {row['recorded_at']:%Y-%m-%d %H:%M:%S}  {row['type']}  by {row['actor']}"
    return f"{what}\n       {json.dumps(row['data'])}"


def _published(record: dict[str, Any]) -> str:
    headers = record["headers"]
    kind = headers.get("ce_type", "?").split(".")[-2] if "." in headers.get("ce_type", "") else "?"
    place = f"{record['topic']}[{record['partition']}]@{record['offset']}"
    value = record["value"] if record["value"] is not None else "(tombstone)"
    return f"{record['at']}  {place}  {kind} #{headers.get('ce_sequence', '-')}  {record['key']}\n    {value}"
