"""How cost grows: the same calls with ten thousand sessions and with ten or a hundred times as many.

People grow with the sessions, as on a platform: a practitioner has twenty, a member ten. One caller, so the figures are
the milliseconds of one call; an admin's lists, which run over everything, stand beside a person's, and the history of a
session of two hundred events beside that of five. PostgreSQL has a quarter of the memory for its own cache, as on a
server, and the tables are in it: what is asked for is whether the work grows, not what a cache that is too small costs.
"""

import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
from psycopg import sql

from benchmarks.append import Ours as Command
from benchmarks.harness import Contestant, Goal, Report, Run, Scale, compare, percentiles
from benchmarks.processor import Cost
from benchmarks.sales import sold
from benchmarks.system import Database as Place
from benchmarks.system import System
from benchmarks.world import World, body_of, numbered
from booking_contracts.zones import zone
from booking_process.database import Database
from booking_web.auth import Principal
from calendar_projector.calendar import reads
from checkout.ranking import listing
from checkout.ranking.listing import Months, page_after
from checkout.transactions import reads as sales_reads
from consultation.sessions.reads import Filter, history, page
from consultation.sessions.store import Person

SIZES: dict[Scale, tuple[int, ...]] = {
    "tiny": (400, 800),
    "default": (10_000, 100_000),
    "full": (10_000, 100_000, 1_000_000),
}
CALLS: dict[Scale, int] = {"tiny": 3, "default": 200, "full": 300}
"""Of each in a round; six rounds move a fifth of the fewest sessions once each at most."""
FLAT = Goal(1.3, least=False)
CALLED = (
    "command", "list page", "list page, all", "list page, by status", "history of 5 events", "history of 200 events",
    "calendar range", "calendar range, all", "practitioner list", "Transactions' page", "a Transaction's history",
)  # fmt: skip
"""What is called, as the rows are named."""
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
_FIRST = 8  # calls until a statement has the plan that it keeps
_LONG, _LONG_EVENTS = 20, 200
_LONGER = """
INSERT INTO events ({columns})
SELECT {given} FROM events e, generate_series(6, {last}) n,
    LATERAL json_populate_record(e, json_build_object('version', n, 'id', uuidv7())) one
WHERE e.stream_id = ANY(%s) AND e.version = 5 ORDER BY n
"""
_KNOWN = """
INSERT INTO practitioner (id, name, timezone)
SELECT ('0190b9a0-0001-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Dr. ' || n, 'Asia/Jakarta'
FROM generate_series(0, %(practitioners)s - 1) n;
INSERT INTO contact (person_id, name, phone, locale)
SELECT ('0190b9a0-000' || kind || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'P' || n, '+6281200000', 'id'
FROM (VALUES (1, %(practitioners)s), (2, %(members)s)) AS k (kind, count), generate_series(0, count - 1) n
"""
_BLOCKS = (
    "SELECT blks_hit + blks_read FROM pg_stat_clear_snapshot(), pg_stat_database WHERE datname = current_database()"
)
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
        coming = [n for n in range(sessions) if not self._world.is_past(n)]
        self._long, self._coming = coming[:_LONG], iter(coming[_LONG:])
        self._store, self._calendar, self._checkout = (
            system.database(name) for name in ("consultation", "calendar", "checkout")
        )
        self._command, self._system = Command(system, 1), system
        self._months = Months(zone("Asia/Jakarta"))

    async def fill(self) -> None:
        """Fill all three, and read them into PostgreSQL's cache."""
        self._world.fill(self._store.admin_url)
        await self._people_and_long_sessions()
        show(self._store, self._calendar)
        await self._list()
        for place in self._places():
            _warm(place)

    async def run(self) -> Run:
        """The median of each call, and how many blocks it looked at."""
        self._system.settle()
        store, calendar, checkout = (Database(p.app_url, pool_size=1) for p in self._places())
        calls: list[tuple[Database, Callable[[Database], Awaitable[None]]]] = [
            (store, self._one_command),
            (store, lambda db: self._page(db, self._somebody("practitioner"), Filter())),
            (store, lambda db: self._page(db, self._somebody("admin"), Filter())),
            (store, lambda db: self._page(db, self._somebody("admin"), Filter(("completed",)))),
            (store, lambda db: self._history(db, self._random.randrange(self._world.sessions))),
            (store, lambda db: self._history(db, self._random.choice(self._long))),
            (calendar, lambda db: self._range(db, everybody=False)),
            (calendar, lambda db: self._range(db, everybody=True)),
            (checkout, self._practitioners),
            (checkout, self._transactions),
            (checkout, self._transaction_history),
        ]
        figures: dict[str, float] = {}
        costs: dict[str, Cost] = {}
        for name, (database, call) in zip(CALLED, calls, strict=True):
            figures[f"{name}, ms"], figures[f"{name}, blocks"], costs[name] = await self._timed(database, call)
        for database in (store, calendar, checkout):
            await database.close()
        return Run(figures, costs)

    async def _timed(
        self, database: Database, call: Callable[[Database], Awaitable[None]]
    ) -> tuple[float, float, Cost]:
        for _ in range(_FIRST):
            await call(database)
        seconds: list[float] = []
        before = await _blocks(database)
        with self._system.span() as span:
            for _ in range(self._calls):
                began = time.perf_counter()
                await call(database)
                seconds.append(time.perf_counter() - began)
        blocks = (await _blocks(database) - before) / self._calls
        return percentiles(seconds)["p50 ms"], blocks, span.cost(self._calls)

    def _places(self) -> tuple[Place, Place, Place]:
        return self._store, self._calendar, self._checkout

    async def _one_command(self, database: Database) -> None:
        number = next(self._coming)
        await self._command.command(number, body_of(self._world.next_times(number)), self._world, database)

    async def _page(self, database: Database, person: Person, wanted: Filter) -> None:
        async with database.autocommit() as conn:
            rows, _ = await page(conn, person, wanted, limit=50, after=None)
        assert rows

    async def _history(self, database: Database, number: int) -> None:
        async with database.autocommit() as conn:
            found = await history(conn, numbered(0, number), self._somebody("admin"), limit=50)
        assert found is not None
        assert len(found.items) >= 4

    async def _transactions(self, database: Database) -> None:
        owner = self._world.member(1 + self._random.randrange(self._world.sessions - 1))
        async with database.autocommit() as conn:
            assert await sales_reads.page(conn, Principal(owner, frozenset({"member"})), owner=owner, limit=50)

    async def _transaction_history(self, database: Database) -> None:
        number = 1 + self._random.randrange(self._world.sessions - 1)
        async with database.autocommit() as conn:
            assert await sales_reads.history(conn, numbered(3, number), limit=50, below=1_000_000)

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

    async def _people_and_long_sessions(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._store.admin_url, autocommit=True) as conn:
            people = {"practitioners": self._world.practitioners, "members": self._world.members}
            await psycopg.AsyncClientCursor(conn).execute(_KNOWN.encode(), people)
            found = await conn.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 1"
                " AND NOT attisdropped"
            )
            columns = [row[0] for row in await found.fetchall()]
            longer = sql.SQL(_LONGER).format(
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                given=sql.SQL(", ").join(sql.Identifier("one", column) for column in columns),
                last=_LONG_EVENTS,
            )
            await conn.execute(longer, [[numbered(0, number) for number in self._long]])
            await conn.execute("UPDATE feedback_session SET version = %s WHERE id = ANY(%s)",
                               [_LONG_EVENTS, [numbered(0, number) for number in self._long]])  # fmt: skip

    async def _list(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._checkout.admin_url, autocommit=True) as conn:
            await conn.execute(_PEOPLE, {"last": self._world.practitioners - 1, "tiers": list(TIERS)})
            await conn.execute(_FIGURES, {"months": list(self._months.listed)})
            await listing.prepare(conn, self._months)
            await sold(conn, self._world)
            await conn.execute("VACUUM ANALYZE")


def show(store: Place, calendar: Place) -> None:
    """The store's sessions as calendar rows."""
    into = f"COPY user_schedule_a ({_SHARED}, {_REST}) FROM STDIN"
    with psycopg.connect(store.admin_url) as source, psycopg.connect(calendar.admin_url, autocommit=True) as target:
        with source.cursor().copy(_FROM_STORE.encode()) as out, target.cursor().copy(into.encode()) as rows:
            for chunk in out:
                rows.write(chunk)
        target.execute("VACUUM ANALYZE")


def _warm(place: Place) -> None:
    """Read its tables and indexes into PostgreSQL's cache."""
    with psycopg.connect(place.admin_url, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION pg_prewarm")
        conn.execute(
            "SELECT sum(pg_prewarm(oid)) FROM pg_class WHERE relkind IN ('r', 'i')"
            " AND relnamespace = 'public'::regnamespace"
        )


async def _blocks(database: Database) -> float:
    """How many blocks this database has looked at so far, in its cache or not."""
    async with database.autocommit() as conn:
        await conn.execute("SELECT pg_stat_force_next_flush()")
        row = await (await conn.execute(_BLOCKS)).fetchone()
    assert row is not None
    return float(row[0])


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """One table: every larger size against the smallest."""
    if scale != "tiny":
        system.postgres_settings = (f"shared_buffers={_memory() // 4 // 2**20}MB",)
    grown: list[tuple[int, Grown]] = []
    for sessions in SIZES[scale]:
        one = Grown(system, sessions, CALLS[scale])
        await one.fill()
        grown.append((sessions, one))
    (least, first), *others = grown
    goals = {f"{call}, ms": FLAT for call in CALLED}
    floor = Contestant(f"{least:,} sessions", first.run)
    return [
        await compare(
            "Growth: the median of one call",
            floor,
            [Contestant(f"{sessions:,} sessions", one.run, goals) for sessions, one in others],
            rounds=rounds,
        )
    ]


def _memory() -> int:
    """This machine's, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
