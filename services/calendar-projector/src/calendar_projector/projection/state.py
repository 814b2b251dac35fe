"""How the projection stands: positions, lag, the rebuild in hand with its rate and ETA; as metrics too."""

from datetime import UTC, datetime
from typing import Any, Literal

import psycopg
from prometheus_client import Counter, Gauge
from pydantic import BaseModel, Field

from booking_contracts.topics import SESSIONS
from booking_web.instants import InstantOut
from calendar_projector.projection.generations import Generation, generations

SWITCHES = Counter("booking_projection_switches", "Rebuilt generations that were shown.")
LAG_EVENTS = Gauge("booking_projection_lag_events", "Events not yet in the rows.", ["state"])
LAG_SECONDS = Gauge(
    "booking_projection_lag_seconds",
    "Age of the last event in the rows while others wait, at most the time for which any does.",
    ["state"],
)
DONE_RATIO = Gauge(
    "booking_projection_rebuild_ratio", "How much of the topic the building generation has read, 0 to 1."
)

LAG = """
SELECT g.id, g.state, e.topic, e.partition, coalesce(p.next_offset, 0), e.first_offset, e.end_offset,
       p.last_timestamp_ms, e.measured_at
FROM generation g
CROSS JOIN projection_end e
LEFT JOIN projection_position p ON (p.generation, p.topic, p.partition) = (g.id, e.topic, e.partition)
WHERE g.state IN ('active', 'building') AND e.topic = %s
ORDER BY g.id, e.topic, e.partition
"""


_level_at: dict[tuple[str, int], float] = {}
"""By state and partition: when it was last seen with nothing left to read, in milliseconds since 1970."""


async def publish_lag(conn: psycopg.AsyncConnection[Any], topic: str) -> None:
    """Set the gauges from what the positions and the topic's ends say."""
    rows = await (await conn.execute(LAG, (topic,))).fetchall()
    now = await (await conn.execute("SELECT extract(epoch FROM clock_timestamp())::float8 * 1000")).fetchone()
    for state in ("active", "building"):
        mine = [row for row in rows if row[1] == state]
        waiting = sum(max(0, row[6] - row[4]) for row in mine)
        at = now[0] if now else 0.0
        _level_at.update({(state, row[3]): at for row in mine if row[6] <= row[4]})
        # Nobody waits for longer than since nobody did: after a quiet night the last event in the rows is hours old.
        since = [max(row[7], _level_at.get((state, row[3]), 0.0)) for row in mine if row[7] and row[6] > row[4]]
        ages = [(at - one) / 1000 for one in since]
        LAG_EVENTS.labels(state).set(waiting)
        LAG_SECONDS.labels(state).set(max(0.0, *ages) if ages else 0.0)
    built = [row for row in rows if row[1] == "building"]
    total = sum(row[6] - row[5] for row in built)
    DONE_RATIO.set(sum(row[4] - row[5] for row in built) / total if total else 0.0)


NAME = "user_schedule"
ProjectionStatus = Literal["live", "rebuilding"]


class Position(BaseModel, title="ProjectionPosition"):
    """One partition: the next offset to read, and where the topic ends."""

    topic: str = Field(examples=["consultation.sessions.v1"])
    partition: int
    next_offset: int
    end_offset: int


class Rebuild(BaseModel, title="ProjectionRebuild"):
    """A generation in the making."""

    generation: int
    slot: str = Field(examples=["b"])
    requested_by: str = Field(examples=["admin:0198d2a0-5555-7000-8000-000000000005"])
    started_at: InstantOut
    done: int
    total: int
    percent: float
    events_per_second: float
    eta_seconds: float | None


class Switch(BaseModel, title="ProjectionSwitch"):
    """The last switch and what its comparison found."""

    switched_at: InstantOut
    requested_by: str = Field(examples=["admin:0198d2a0-5555-7000-8000-000000000005"])
    comparison: dict[str, Any] = Field(examples=[{"differences": 0}])


class State(BaseModel, title="Projection"):
    """One projection. `lag_seconds` is the age of the last event in the rows while others wait, else 0."""

    name: str = Field(examples=["user_schedule"])
    generation: int
    slot: str = Field(examples=["a"])
    status: ProjectionStatus
    lag_events: int
    lag_seconds: float
    measured_at: InstantOut | None
    positions: list[Position]
    held: dict[str, int] = Field(examples=[{}])
    rebuild: Rebuild | None = Field(examples=[None])
    last_switch: Switch | None
    can_go_back_to: int | None


async def state(conn: psycopg.AsyncConnection[Any]) -> State:
    """How it stands now; numbers of the broker are as old as `measured_at` says (about a second)."""
    found = {g.state: g for g in await generations(conn)}
    active, building = found["active"], found.get("building")
    rows = await (await conn.execute(LAG, (SESSIONS.name,))).fetchall()
    mine = [row for row in rows if row[0] == active.id]
    now = datetime.now(UTC)
    ages = [now.timestamp() - row[7] / 1000 for row in mine if row[7] and row[6] > row[4]]
    return State(
        name=NAME,
        generation=active.id,
        slot=active.slot,
        status="rebuilding" if building else "live",
        lag_events=sum(max(0, row[6] - row[4]) for row in mine),
        lag_seconds=round(max(0.0, *ages), 3) if ages else 0.0,
        measured_at=min((row[8] for row in mine), default=None),
        positions=[Position(topic=r[2], partition=r[3], next_offset=r[4], end_offset=r[6]) for r in mine],
        held=await _held(conn, active),
        rebuild=_rebuild(building, [row for row in rows if row[0] == building.id], now) if building else None,
        last_switch=_last_switch(active),
        can_go_back_to=found["retired"].id if "retired" in found else None,
    )


def _rebuild(building: Generation, rows: list[tuple[Any, ...]], now: datetime) -> Rebuild:
    done = sum(max(0, row[4] - row[5]) for row in rows)
    total = sum(row[6] - row[5] for row in rows)
    seconds = max(0.001, (now - building.started_at).total_seconds())
    rate = max(0, done - building.from_records) / seconds
    return Rebuild(
        generation=building.id,
        slot=building.slot,
        requested_by=building.requested_by,
        started_at=building.started_at,
        done=done,
        total=total,
        percent=round(100 * done / total, 2) if total else 100.0,
        events_per_second=round(rate, 1),
        eta_seconds=round((total - done) / rate, 1) if rate else None,
    )


def _last_switch(active: Generation) -> Switch | None:
    if active.switched_at is None or active.comparison is None:
        return None
    return Switch(switched_at=active.switched_at, requested_by=active.requested_by, comparison=active.comparison)


async def _held(conn: psycopg.AsyncConnection[Any], active: Generation) -> dict[str, int]:
    rows = await conn.execute(
        "SELECT reason, count(*) FROM held WHERE consumer = %s AND settled_at IS NULL GROUP BY reason",
        (active.place.consumer,),
    )
    return dict(await rows.fetchall())
