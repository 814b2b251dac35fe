"""`booking-ops republish`: to the topics once more, from the stores. Consumers take what they have as copies."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from booking_contracts.topics import NOTICES
from booking_ops.deployment import Deployment, chosen, deployment
from booking_ops.failure import Failure
from booking_ops.manners import AsJson, Bar, Deadline, Yes, done, sure
from booking_ops.presence import present
from booking_outbox import Relay, Republished, Selection


def republish(
    *,
    service: Annotated[list[str] | None, typer.Option(help="Whose topics; may be repeated [default: all].")] = None,
    topic: Annotated[
        list[str] | None, typer.Option(help="Only this topic, or those whose names end so; may be repeated.")
    ] = None,
    key: Annotated[UUID | None, typer.Option("--key", "--stream", help="One aggregate's events, one row.")] = None,
    from_key: Annotated[UUID | None, typer.Option(help="Keys from this one on.")] = None,
    to_key: Annotated[UUID | None, typer.Option(help="Keys up to this one.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Events recorded from this instant on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Events recorded before this instant (UTC).")] = None,
    accept_topic: Annotated[
        bool, typer.Option("--accept-topic", help="After a restore: accept what the topics hold beyond the store.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0.1, help="Seconds in which the relay must give its lock up.")] = 30,
    yes: Yes = False,
    as_json: AsJson = False,
    deadline: Deadline = 86_400,
) -> None:
    """Publish again: a key or a range of them, a time range, a topic, or everything.

    It waits for the relay's lock, so it may run beside a running system, and as often as you like.
    """
    if key is not None and (from_key or to_key):
        raise Failure("Give --key, or --from-key and --to-key.")
    selection = Selection(key, _utc(since), _utc(until), from_key, to_key)
    if accept_topic:
        sure("Accept for good what the topics hold beyond the stores?", yes=yes)
    where, told = deployment(), {}
    for name in chosen(service):
        found = done(_one(where, name, topic, selection, accept_topic=accept_topic, wait=wait), deadline)
        if found is not None:
            told[name] = asdict(found)
            if not as_json:
                print(f"{name}: {json.dumps(told[name])}", flush=True)
    if not told:
        raise Failure(f"No service of these publishes {' or '.join(topic or ['anything'])}.")
    if as_json:
        print(json.dumps(told, indent=1))


async def _one(
    where: Deployment, name: str, topics: list[str] | None, selection: Selection, *, accept_topic: bool, wait: float
) -> Republished | None:
    """What was published of one service; None when none of the topics is its own."""
    service = where.service(name)
    relay = next(worker for worker in service.workers if isinstance(worker, Relay))
    only = None if topics is None else [one for one in relay.topics if any(one.endswith(end) for end in topics)]
    if only == []:
        return None
    await present(where, [*relay.topics, NOTICES])
    bar = Bar()

    def show(topic: str, sent: int) -> None:
        bar.show(topic, sent)

    try:
        return await relay.republish(selection, accept_topic=accept_topic, only=only, progress=show, wait=wait)
    finally:
        bar.clear()
        await asyncio.shield(service.database.close())


def _utc(instant: datetime | None) -> datetime | None:
    return instant.replace(tzinfo=UTC) if instant is not None and instant.tzinfo is None else instant
