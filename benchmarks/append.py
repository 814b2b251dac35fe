"""One command: load five events, decide, append one with the expected version, update the read row, commit.

Floor: pgbench with two autocommit statements on tables of just these columns. Ours is the whole command as a route
gives it, in this process: body validated, link and zone checked, decided, appended with mark, claims and idempotency
record, the relay's waker poked.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg

from benchmarks.harness import Contestant, Goal, Report, Run, Scale, compare
from benchmarks.peers import emmett, eventsourcing
from benchmarks.pgbench import pgbench
from benchmarks.system import Database as Place
from benchmarks.system import System
from benchmarks.world import World, body_of, numbered
from booking_contracts.ids import uuid7
from booking_outbox import Waker
from booking_process.database import Database
from booking_store import Cause, CommandContext, handle
from booking_web.conditions import Conditions
from booking_web.idempotency import IdempotencyKey
from consultation.dependencies import now
from consultation.links import MeetingLinks
from consultation.sessions.commands import Reschedule
from consultation.sessions.models import ScheduleIn
from consultation.sessions.store import SESSION, Person, by_person
from consultation.settings import Settings

COMMANDS: dict[Scale, int] = {"tiny": 40, "default": 3_000, "full": 30_000}
WARM = 20
"""Commands of each connection before those that count: a pool's connections live for days, and a plan is made once."""
GOALS = {1: 0.38, 8: 0.32, 32: 0.28}
UNIT, COMMAND = "commands/s", "command"
FLOOR = """
CREATE TABLE events (
    stream_id uuid, version integer, type text NOT NULL, data json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT statement_timestamp(), PRIMARY KEY (stream_id, version)
);
CREATE TABLE session (id uuid PRIMARY KEY, status text, starts_at timestamptz, version integer NOT NULL);
"""
FLOOR_FILL = """
INSERT INTO events (stream_id, version, type, data)
SELECT lpad(to_hex(n), 32, '0')::uuid, v, 'SessionRescheduled', ('{"filler":"' || repeat('x', 520) || '"}')::json
FROM generate_series(%(first)s::bigint, %(last)s) n, generate_series(1, 5) v
"""
FLOOR_ROWS = """
INSERT INTO session SELECT lpad(to_hex(n), 32, '0')::uuid, 'scheduled', now(), 5
FROM generate_series(%(first)s::bigint, %(last)s) n
"""
FLOOR_SCRIPT = r"""
\set n :base + :client_id * :each + :i
\set i :i + 1
SELECT version, type, data::text FROM events WHERE stream_id = lpad(to_hex(:n::bigint), 32, '0')::uuid ORDER BY version;
WITH ev AS (
    INSERT INTO events (stream_id, version, type, data)
    VALUES (lpad(to_hex(:n::bigint), 32, '0')::uuid, 6, 'SessionRescheduled',
            '{"filler":"FILLER"}'::json) RETURNING version
)
UPDATE session SET status = 'scheduled', starts_at = now(), version = ev.version FROM ev
WHERE id = lpad(to_hex(:n::bigint), 32, '0')::uuid AND session.version = 5;
""".replace("FILLER", "x" * 520)


class Floor:
    """pgbench on its own two tables; each run has streams of its own."""

    def __init__(self, system: System, commands: int) -> None:
        self._system, self._commands = system, commands
        self.url = system.empty_database()
        self._script = Path(system.stack.layout.folder) / "append.pgbench"
        self._script.write_text(FLOOR_SCRIPT)
        self._first = itertools.count(1, commands)
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(FLOOR.encode())

    def fill(self) -> int:
        """As many streams as there are commands in a run; the number of the first, which is its id's last digits."""
        first = next(self._first)
        numbers = {"first": first, "last": first + self._commands - 1}
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(FLOOR_FILL.encode(), numbers)
            conn.execute(FLOOR_ROWS.encode(), numbers)
            conn.execute("VACUUM ANALYZE")
        self._system.settle()
        return first

    async def run(self, clients: int) -> Run:
        """Fill, then measure. Raises RuntimeError unless every command was written."""
        first = self.fill()
        clock = self._system.postgres_clock
        rate, cost = await pgbench(
            self.url, self._script, clock, clients=clients, transactions=self._commands, base=first, i=0
        )
        with psycopg.connect(self.url) as conn:
            row = conn.execute("SELECT count(*) FROM session WHERE version = 6").fetchone()
        written = self._commands // clients * clients
        if row is None or row[0] < written:
            raise RuntimeError(f"the floor wrote {row} of {written} commands")
        return Run({UNIT: rate}, {COMMAND: cost})


class Ours:
    """The command in this process, on consultation's own tables."""

    def __init__(self, system: System, commands: int) -> None:
        self._system, self._commands = system, commands
        self.place: Place = system.database("consultation")
        self._first = itertools.count(0, commands + WARM * max(GOALS))
        self._links = MeetingLinks(Settings.model_fields["meeting_hosts"].default)

    async def run(self, clients: int, before: Callable[[], object] = lambda: None) -> Run:
        """Fill, warm the connections, call ``before``, then have ``clients`` give commands one after the other."""
        world = World(self._commands + WARM * clients, first=next(self._first))
        world.fill(self.place.admin_url)
        self._system.settle()
        database = Database(self.place.app_url, pool_size=clients)
        waker = Waker(self.place.app_url)
        await waker.start()
        bodies = {number: body_of(world.next_times(number)) for number in numbers_of(world)}
        await asyncio.gather(*(database.ping() for _ in range(clients)))
        numbers = iter(bodies)

        async def give(commands: int) -> None:
            mine = itertools.islice(numbers, commands)
            async with asyncio.TaskGroup() as group:
                for _ in range(clients):
                    group.create_task(self._client(mine, bodies, world, database, waker))

        await give(WARM * clients)
        before()
        with self._system.span() as span:
            await give(self._commands)
        await waker.close()
        await database.close()
        return Run({UNIT: self._commands / span.seconds}, {COMMAND: span.cost(self._commands)})

    async def _client(
        self, numbers: Iterator[int], bodies: dict[int, bytes], world: World, database: Database, waker: Waker
    ) -> None:
        for number in numbers:
            await self.command(number, bodies[number], world, database)
            waker.poke()

    async def command(self, number: int, body: bytes, world: World, database: Database) -> None:
        """What the route of `PUT /v1/sessions/{id}/schedule` does, without HTTP."""
        asked = ScheduleIn.model_validate_json(body)
        link = self._links.canonical(asked.meeting_link)
        at, times = now(), asked.times(asked.timezone or "Asia/Jakarta")
        person = Person(world.practitioner(number), frozenset({"practitioner"}))
        key = IdempotencyKey(str(person.id), "PUT /v1/sessions/{session_id}/schedule", str(uuid4()), bytes(32))
        cause = Cause("system", str(uuid7()), str(uuid7()), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        context = CommandContext(cause, at, key, Conditions(if_match=frozenset({"5"})))
        command = by_person(person, lambda actor, at: Reschedule(actor, at, times, link), at)
        async with database.autocommit() as conn:
            done = await handle(conn, SESSION, numbered(0, number), command, context)
        assert done.version == 6


def numbers_of(world: World) -> range:
    """The numbers of its sessions."""
    return range(world.first, world.first + world.sessions)


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """A table each for 1, 8 and 32 clients."""
    commands = COMMANDS[scale]
    floor, ours = Floor(system, commands), Ours(system, commands)
    peers = {module.NAME: module.Peer(system, commands) for module in (emmett, eventsourcing)}
    reports: list[Report] = []
    for clients, goal in GOALS.items():
        others = [Contestant("booking: the whole command", partial(ours.run, clients), {UNIT: Goal(goal)})]
        if scale != "tiny":
            others += [Contestant(name, partial(peer.run, clients)) for name, peer in peers.items()]
        title = f"Append: {commands:,} commands on streams of 5, {clients} client{'s' * (clients > 1)}"
        least = Contestant("floor: pgbench, two statements", partial(floor.run, clients))
        reports.append(await compare(title, least, others, rounds=rounds))
    return reports
