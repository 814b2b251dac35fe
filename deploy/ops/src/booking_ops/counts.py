"""`booking-ops counts`: what the owners hold of each topic, so that whoever keeps a copy can prove it whole."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from booking_contracts.envelope import rfc3339
from booking_ops.deployment import SERVICES, Deployment, deployment
from booking_ops.manners import Deadline, done
from booking_outbox import Relay

_SETTLED = timedelta(minutes=1)
"""What was recorded later may still be on its way to the topic."""


def counts(
    *,
    until: Annotated[
        datetime | None, typer.Option(help="Events recorded before this instant (UTC) [default: a minute ago].")
    ] = None,
    deadline: Deadline = 3_600,
) -> None:
    """Print what the owners' stores hold of each topic, by the last hex digit of the key: a line of JSON each."""
    instant = until or (datetime.now(UTC) - _SETTLED).replace(microsecond=0)
    instant = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    where = deployment()
    for name in SERVICES:
        done(_print(where, name, instant), deadline)


async def _print(where: Deployment, name: str, until: datetime) -> None:
    relay = next(worker for worker in where.service(name).workers if isinstance(worker, Relay))
    for one in await relay.counts(until):
        told = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in asdict(one).items()}
        print(json.dumps(told), flush=True)
