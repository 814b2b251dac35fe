"""Operators' jobs beside the service: what they say when a server is away, `republish` and `counts`."""
# pyright: reportMissingTypeStubs=false

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from aiokafka.errors import KafkaError

from booking_contracts.envelope import rfc3339
from booking_outbox import OutboxError, Relay, Selection
from booking_process.database import DatabaseDownError
from booking_process.service import Service

_COUNTS = (
    "`<service> counts [--until T]`: what the store holds of each topic, by the last hex digit of the key, as JSON."
)
_SETTLED = timedelta(minutes=1)
"""How long ago an event was recorded that whoever reads has by now, in earnest: the default of `--until`."""
_REPUBLISH = (
    """`<service> republish [--stream ID] [--since T] [--until T] [--accept-topic]`: publish again (architecture.md)."""
)


def told(run: Callable[[], int]) -> int:
    """The exit code of `run`; 1 and a sentence on stderr when PostgreSQL or Kafka can't be used. What was done stays
    done: every job may be run again."""
    try:
        return run()
    except DatabaseDownError as away:
        sentence = f"The database can't be used: {away.reason or away.why}"
    except psycopg.OperationalError as away:
        sentence = f"The database can't be used: {' '.join(str(away).split())}"
    except (KafkaError, OSError, TimeoutError) as away:
        sentence = f"Kafka can't be used: {' '.join(str(away).split()) or type(away).__name__}"
    sys.stderr.write(sentence.rstrip(".?") + ". Run it again when it answers.\n")
    return 1


def republish(service: Service, arguments: Sequence[str]) -> int:
    """Publishes again what the arguments choose; counts as JSON: 0 done, 1 could not (with a sentence), 2 misused."""
    chosen = _parse(arguments)
    relays = [worker for worker in service.workers if isinstance(worker, Relay)]
    if not relays:
        sys.stderr.write(f"{service.name} publishes nothing.\n")
        return 1
    selection = Selection(stream_id=chosen.stream, since=chosen.since, until=chosen.until)
    try:
        done = asyncio.run(relays[0].republish(selection, accept_topic=chosen.accept_topic))
    except OutboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(done)) + "\n")
    return 0


def counts(service: Service, arguments: Sequence[str]) -> int:
    """Prints what `booking_outbox.Count` says, a line each; 0 done, 1 publishes nothing, 2 misused."""
    parser = argparse.ArgumentParser(prog="counts", description=_COUNTS)
    settled = (datetime.now(UTC) - _SETTLED).replace(microsecond=0)
    parser.add_argument(
        "--until", type=_instant, default=settled, help="events recorded before this instant [a minute ago]"
    )
    chosen = parser.parse_args(list(arguments))
    relays = [worker for worker in service.workers if isinstance(worker, Relay)]
    if not relays:
        sys.stderr.write(f"{service.name} publishes nothing.\n")
        return 1
    for one in asyncio.run(relays[0].counts(chosen.until)):
        told = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in asdict(one).items()}
        sys.stdout.write(json.dumps(told) + "\n")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="republish", description=_REPUBLISH)
    parser.add_argument("--stream", type=UUID, help="one aggregate's events")
    parser.add_argument("--since", type=_instant, help="events recorded from this instant on")
    parser.add_argument("--until", type=_instant, help="events recorded before this instant")
    parser.add_argument("--accept-topic", action="store_true", help="after a restore: accept what the topics hold")
    return parser.parse_args(list(arguments))


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
