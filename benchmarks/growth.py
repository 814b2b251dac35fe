"""How cost grows: the same five calls with ten thousand sessions and with ten or a hundred times as many.

People grow with the sessions, as on a platform: a practitioner has twenty, a member ten. One caller, so the figures are
the milliseconds of one call; an admin's lists, which run over everything, stand beside a person's.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg

from benchmarks.append import Ours as Command
from benchmarks.harness import Contestant, Figures, Goal, Report, Scale, compare, percentiles
from benchmarks.system import Database as Place
from benchmarks.system import System
from benchmarks.world import World, body_of
from booking_contracts.zones import zone
from booking_process.database import Database
from calendar_projector.calendar import reads
from checkout.ranking import listing
from checkout.ranking.listing import Months, page_after
from consultation.sessions.reads import Filter, page
from consultation.sessions.store import Person

SIZES: dict[Scale, tuple[int, ...]] = {
    "tiny": (400, 800),
    "default": (10_000, 100_000),
    "full": (10_000, 100_000, 1_000_000),
}
CALLS: dict[Scale, int] = {"tiny": 3, "default": 200, "full": 400}
FLAT = Goal(1.3, least=False)
TIERS = ("silver", "gold", "platinum")
_SHARED = "session_id, version, transaction_id, practitioner_id, user_id, status, scheduled_date, time_start, time_end"
_REST = "timezone, starts_at, ends_at, meeting_link, schedule_version, changed_at, row_version, dated"
_FROM_STORE = """
COPY (
    SELECT id, version, transaction_id, practitioner_id, user_id, status, scheduled_date, time_start, time_end,
           timezone, starts_at, ends_at, meeting_link, schedule_version, updated_at, version, true
    FROM feedback_session
) TO STDOUT
"""
_PEOPLE = """
INSERT INTO practitioner (id, name, photo_url, bio, profession, tiers, timezone, active, version, actor, correlation_id)
SELECT ('0190b9a0-0001-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Dr. ' || n, NULL, 'Since 2001', 'Konselor',
       ARRAY[(%(tiers)s::text[])[1 + n %% 3]], 'Asia/Jakarta', true, 1, 'system', 'bench'
FROM generate_series(0, %(last)s) n
"""
_FIGURES = """
INSERT INTO practitioner_month (practitioner_id, month, productivity, activity)
SELECT id, m, (random() * 40)::int, (random() * 90)::int
FROM practitioner, unnest(%(months)s::date[]) m
"""


class Grown:
    """The three services' tables with that many sessions, and the calls."""

    def __init__(self, system: System, sessions: int, calls: int) -> None:
        self._random, self._calls = Random(7), calls
        self._world = World(sessions, practitioners=sessions // 20, members=sessions // 10, past=8)
        self._coming = iter([n for n in range(sessions) if not self._world.is_past(n)])
        self._store, self._calendar, self._checkout = (
            system.database(name) for name in ("consultation", "calendar", "checkout")
        )
        self._command, self._system = Command(system, 1), system
        self._months = Months(zone("Asia/Jakarta"))

    async def fill(self) -> None:
        """Fill all three."""
        self._world.fill(self._store.admin_url)
        self._show()
        await self._list()

    async def run(self) -> Figures:
        """The median of each call."""
        self._system.settle()
        store, calendar, checkout = (_pool(p) for p in (self._store, self._calendar, self._checkout))
        figures = {
            "command": await self._timed(lambda: self._one_command(store)),
            "list page": await self._timed(lambda: self._page(store, self._somebody("practitioner"), Filter())),
            "list page, all": await self._timed(lambda: self._page(store, self._somebody("admin"), Filter())),
            "list page, by status": await self._timed(
                lambda: self._page(store, self._somebody("admin"), Filter("completed"))
            ),
            "calendar range": await self._timed(lambda: self._range(calendar, everybody=False)),
            "calendar range, all": await self._timed(lambda: self._range(calendar, everybody=True)),
            "practitioner list": await self._timed(lambda: self._practitioners(checkout)),
        }
        for database in (store, calendar, checkout):
            await database.close()
        return {f"{name}, ms": value for name, value in figures.items()}

    async def _timed(self, call: Callable[[], Awaitable[None]]) -> float:
        await call()
        seconds: list[float] = []
        for _ in range(self._calls):
            began = time.perf_counter()
            await call()
            seconds.append(time.perf_counter() - began)
        return percentiles(seconds)["p50 ms"]

    async def _one_command(self, database: Database) -> None:
        number = next(self._coming)
        await self._command.command(number, body_of(self._world.next_times(number)), self._world, database)

    async def _page(self, database: Database, person: Person, wanted: Filter) -> None:
        async with database.autocommit() as conn:
            rows, _ = await page(conn, person, wanted, limit=50, after=None)
        assert rows

    async def _range(self, database: Database, *, everybody: bool) -> None:
        start = datetime.now(UTC) - timedelta(days=15)
        wanted = reads.Range(start, start + timedelta(days=31), limit=200)
        async with database.autocommit() as conn:
            if everybody:
                rows = await reads.of_pair(conn, None, None, wanted)
            else:
                rows = await reads.of_person(conn, self._somebody("practitioner").id, wanted)
        assert rows

    async def _practitioners(self, database: Database) -> None:
        async with database.autocommit() as conn:
            assert await page_after(conn, self._months.last, self._random.choice(TIERS), None, 51)

    def _somebody(self, role: str) -> Person:
        return Person(self._world.practitioner(self._random.randrange(self._world.sessions)), frozenset({role}))

    def _show(self) -> None:
        into = f"COPY user_schedule_a ({_SHARED}, {_REST}) FROM STDIN"
        with (
            psycopg.connect(self._store.admin_url) as store,
            psycopg.connect(self._calendar.admin_url, autocommit=True) as calendar,
        ):
            with store.cursor().copy(_FROM_STORE.encode()) as out, calendar.cursor().copy(into.encode()) as rows:
                for chunk in out:
                    rows.write(chunk)
            calendar.execute("VACUUM ANALYZE")

    async def _list(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._checkout.admin_url, autocommit=True) as conn:
            await conn.execute(_PEOPLE, {"last": self._world.practitioners - 1, "tiers": list(TIERS)})
            await conn.execute(_FIGURES, {"months": list(self._months.listed)})
            await listing.prepare(conn, self._months)
            await conn.execute("VACUUM ANALYZE")


def _pool(place: Place) -> Database:
    return Database(place.app_url, pool_size=1)


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """One table: every larger size against the smallest."""
    grown: list[tuple[int, Grown]] = []
    for sessions in SIZES[scale]:
        one = Grown(system, sessions, CALLS[scale])
        await one.fill()
        grown.append((sessions, one))
    (least, first), *others = grown
    units = ("command", "list page", "list page, all", "list page, by status", "calendar range", "calendar range, all",
             "practitioner list")  # fmt: skip
    goals = {f"{unit}, ms": FLAT for unit in units}
    floor = Contestant(f"{least:,} sessions", first.run)
    return [
        await compare(
            "Growth: the median of one call",
            floor,
            [Contestant(f"{sessions:,} sessions", one.run, goals) for sessions, one in others],
            rounds=rounds,
        )
    ]
