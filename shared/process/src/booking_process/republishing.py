"""`<service> republish [--stream ID] [--since T] [--until T] [--accept-topic]`: publish again (architecture.md)."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID

from booking_outbox import OutboxError, Relay, Selection
from booking_process.service import Service


def run(service: Service, arguments: Sequence[str]) -> int:
    """Runs the job and prints its counts as JSON: 0 done, 1 could not (with a sentence), 2 misused."""
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


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="republish", description=__doc__)
    parser.add_argument("--stream", type=UUID, help="one aggregate's events")
    parser.add_argument("--since", type=_instant, help="events recorded from this instant on")
    parser.add_argument("--until", type=_instant, help="events recorded before this instant")
    parser.add_argument("--accept-topic", action="store_true", help="after a restore: accept what the topics hold")
    return parser.parse_args(list(arguments))


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
