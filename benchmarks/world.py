"""Sessions in bulk: streams, read rows and claims as the deciders make them, written by COPY.

One session is decided for real; its lines are the pattern of all others, with their own ids and hours put in. So a
hundred thousand take seconds, and every constraint of the tables still holds.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from uuid import UUID

import psycopg

from booking_contracts.envelope import metadata
from booking_contracts.ids import uuid7
from consultation.entitlements.domain import Entitlement
from consultation.sessions.commands import (
    Actor,
    Command,
    Request,
    Reschedule,
    Schedule,
    Start,
    UploadResult,
)
from consultation.sessions.decider import decide
from consultation.sessions.state import DomainEvent, NotRequested, State, evolve
from consultation.sessions.store import STREAM_TYPE, parameters
from consultation.sessions.times import LocalTimes

LINK = "https://meet.google.com/abc-defg-hij"
ZONE = "Etc/UTC"  # local values are then the instants' own, and one date and hour to put in are enough
_HOUR = 3
_COLUMNS = (
    "stream_type, stream_id, version, id, type, type_version, data, metadata, traceparent, occurred_at, recorded_at"
)


def numbered(kind: int, number: int) -> UUID:
    """The id of the session (0), practitioner (1), member (2) or Transaction (3) of that number."""
    return UUID(f"0190b9a0-{kind:04x}-7000-8000-{number:012x}")


@dataclass(frozen=True)
class World:
    """``sessions`` streams from number ``first`` on, shared among people so that nobody is in two places (S4).

    Those to come have five events and wait at version 5; ``past`` of them, counted in tenths, are completed.
    """

    sessions: int
    practitioners: int = 100
    members: int = 1_000
    past: int = 0
    first: int = 0

    def practitioner(self, number: int) -> UUID:
        """Whose session it is."""
        return numbered(1, number % self.practitioners)

    def member(self, number: int) -> UUID:
        """Whose session it is, too; never more often than the practitioners' hours allow."""
        return numbered(2, number % max(self.members, self.practitioners))

    def start(self, number: int) -> datetime:
        """When it starts: everybody's sessions lie at hours of their own."""
        slot, tomorrow = number // self.practitioners, datetime.combine(_today(), time(), UTC) + timedelta(days=2)
        return tomorrow + timedelta(hours=slot) if not self.is_past(number) else tomorrow - timedelta(hours=72 + slot)

    def is_past(self, number: int) -> bool:
        """Whether it is completed."""
        return number // self.practitioners % 10 < self.past

    def next_times(self, number: int, minute: int = 15) -> LocalTimes:
        """Where a practitioner may move it: a little later, in its own hour."""
        at = self.start(number)
        return LocalTimes(at.date(), time(at.hour, minute), time(at.hour, minute + 30), ZONE)

    def fill(self, admin_url: str) -> None:
        """Write them all; nothing waits for the relay."""
        scheduled, completed = _Pattern.of(_future()), _Pattern.of(_history())
        numbers = range(self.first, self.first + self.sessions)
        with psycopg.connect(admin_url, autocommit=True) as conn:
            for table, what in (
                (f"events ({_COLUMNS})", "events"),
                (scheduled.row_columns, "row"),
                ("time_claim (session_id, person_id, during)", "claims"),
            ):
                texts = (getattr(completed if self.is_past(n) else scheduled, what) for n in numbers)
                self._copy(conn, table, zip(numbers, texts, strict=True))
            conn.execute("VACUUM ANALYZE")

    def _copy(self, conn: psycopg.Connection, table: str, lines: Iterable[tuple[int, str]]) -> None:
        with conn.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for chunk in _chunks(self._put(number, text) for number, text in lines if text):
                copy.write(chunk)

    def _put(self, number: int, text: str) -> str:
        at = self.start(number)
        return _gaps(text) % {
            "session": str(numbered(0, number)),
            "practitioner": str(self.practitioner(number)),
            "member": str(self.member(number)),
            "transaction": str(numbered(3, number)),
            "event": f"{number:08x}",
            "day": at.date().isoformat(),
            "hour": f"{at.hour:02}",
        }


# What the pattern holds where each session has its own: ids that no real one has, and a day and hour of its own.
_SESSION, _PRACTITIONER, _MEMBER, _TRANSACTION = (str(numbered(0xFFF0 + kind, 0)) for kind in range(4))
_EVENT = "0eee0000-{:04x}-7000-8000-000000000000"


@cache
def _gaps(text: str) -> str:
    """A pattern with gaps in place of what each session has of its own, filled all at once."""
    text = text.replace("%", "%%")
    named = {_SESSION: "session", _PRACTITIONER: "practitioner", _MEMBER: "member", _TRANSACTION: "transaction"}
    for held, name in (*named.items(), ("0eee0000", "event"), (_DAY.isoformat(), "day")):
        text = text.replace(held, f"%({name})s")
    for before in ("T", '"', "\t"):
        text = text.replace(f"{before}03:", f"{before}%(hour)s:")
    return text


def _today() -> date:
    return datetime.now(UTC).date()


_DAY = _today() + timedelta(days=300)


@dataclass(frozen=True)
class _Pattern:
    """One session's lines for COPY."""

    events: str
    row_columns: str
    row: str
    claims: str

    @classmethod
    def of(cls, commands: list[Command]) -> "_Pattern":
        state: State = NotRequested()
        told: list[tuple[Command, DomainEvent]] = []
        for command in commands:
            decided = decide(command, state)
            assert isinstance(decided, tuple), decided
            for event in decided:
                told.append((command, event))
                state = evolve(state, event)
        assert not isinstance(state, NotRequested)
        given = parameters(NotRequested(), state, entitlement_version=None)
        extra = ("entitlement_version", "claimed", "freed")
        row = {name: value for name, value in given.items() if name not in extra} | {
            "id": _SESSION,
            "version": len(told),
            "requested_at": _NOW,
            "updated_at": _NOW,
        }
        during = f'["{given["starts_at"]}","{given["ends_at"]}")'.replace(" 03:", "T03:")
        claims = [[_SESSION, person, during] for person in given["claimed"]]
        return cls(
            "".join(_line(_event(version, *one)) for version, one in enumerate(told, 1)),
            f"feedback_session ({', '.join(row)})",
            _line(row.values()),
            "".join(map(_line, claims)),
        )


_NOW = datetime.now(UTC)


def _event(version: int, command: Command, event: DomainEvent) -> list[object]:
    trace = f"00-{uuid7().hex}-b7ad6b7169203331-01"
    ids = [STREAM_TYPE, _SESSION, version, _EVENT.format(version)]
    cause = [metadata(str(command.actor), str(uuid7()), str(uuid7())), trace]
    return [*ids, event.TYPE, event.TYPE_VERSION, event.to_json(), *cause, _NOW, _NOW]


def _line(values: Iterable[object]) -> str:
    texts = ["\\N" if value is None else str(value).replace("\\", "\\\\") for value in values]
    return "\t".join(texts) + "\n"


def _asked() -> list[Command]:
    entitlement = Entitlement(
        UUID(_TRANSACTION),
        UUID(_MEMBER),
        UUID(_PRACTITIONER),
        "paid",
        "counseling",
        10_080,
        auto_start=False,
        version=3,
    )
    return [Request(Actor("member", UUID(_MEMBER)), _NOW, UUID(_SESSION), entitlement)]


def _future() -> list[Command]:
    who = Actor("practitioner", UUID(_PRACTITIONER))
    moves = [LocalTimes(_DAY, time(_HOUR, minute), time(_HOUR, minute + 30), ZONE) for minute in (0, 5, 10, 20)]
    first, *others = moves
    later: list[Command] = [Reschedule(who, _NOW, times, LINK) for times in others]
    return [*_asked(), Schedule(who, _NOW, first, LINK), *later]


def _history() -> list[Command]:
    who = Actor("practitioner", UUID(_PRACTITIONER))
    times = LocalTimes(_DAY, time(_HOUR), time(_HOUR, 30), ZONE)
    result = UploadResult(who, _NOW, uuid7(), has_link=True, has_notes=False)
    return [*_asked(), Schedule(who, _NOW, times, LINK), Start(who, _NOW), result]


def _chunks(lines: Iterator[str], size: int = 500) -> Iterator[str]:
    held: list[str] = []
    for line in lines:
        held.append(line)
        if len(held) == size:
            yield "".join(held)
            held.clear()
    yield "".join(held)


def body_of(times: LocalTimes) -> bytes:
    """The request's body that asks for these times."""
    fields = {
        "scheduled_date": times.scheduled_date.isoformat(),
        "time_start": f"{times.time_start:%H:%M}",
        "time_end": f"{times.time_end:%H:%M}",
        "timezone": times.timezone,
        "meeting_link": LINK,
    }
    return json.dumps(fields).encode()
