"""The library `eventsourcing`: load an aggregate of five events, trigger one more, save (it keeps no read row); and its
projection runner, which writes one row for each event.

Its recorder locks the table for every append, so its rate hardly rises with the clients.
"""

from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.harness import Run
from benchmarks.peers.program import PREAMBLE, measured
from benchmarks.processor import Span
from benchmarks.system import System
from booking_local.packages import python_with

LOCK = Path(__file__).parent / "locks" / "eventsourcing.txt"
NAME = "eventsourcing 9.5, without a read row"
RUNNER = "eventsourcing 9.5, its projection runner from its own store"

SESSION = """
import os, threading
from uuid import uuid4
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

class Session(Aggregate):
    @event("Requested")
    def __init__(self, filler: str) -> None:
        self.filler = filler

    @event("Rescheduled")
    def reschedule(self, starts_at: str, filler: str) -> None:
        self.starts_at = starts_at
"""

PROGRAM = (
    PREAMBLE
    + SESSION
    + """
commands, clients = int(sys.argv[1]), int(sys.argv[2])
app, ids, filler = Application(), [], "x" * 400
for _ in range(commands):
    session = Session(filler)
    for n in range(4):
        session.reschedule(str(n), filler)
    ids.append(session.id)
    app.save(session)

def work(mine):
    for id_ in mine:
        session = app.repository.get(id_)
        session.reschedule("later", filler)
        app.save(session)

threads = [threading.Thread(target=work, args=(ids[n::clients],)) for n in range(clients)]
begin()
started = time.perf_counter()
for thread in threads: thread.start()
for thread in threads: thread.join()
seconds = time.perf_counter() - started
assert app.repository.get(ids[-1]).version == 6
end(commands / seconds)
os._exit(0)
"""
)

PROJECTION = (
    PREAMBLE
    + SESSION
    + """
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL

sessions, filler = int(sys.argv[1]), "x" * 400

class Sessions(Application):
    pass

class Rows(PostgresTrackingRecorder):
    def __init__(self, datastore, **options):
        super().__init__(datastore, **options)
        table = SQL("CREATE TABLE IF NOT EXISTS rows (id uuid PRIMARY KEY, version int, starts_at text)")
        self.sql_create_statements.append(table)

    def put(self, id_, version, starts_at, tracking):
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO rows VALUES (%s, %s, %s) ON CONFLICT (id)"
                " DO UPDATE SET version = excluded.version, starts_at = excluded.starts_at",
                (id_, version, starts_at), prepare=True,
            )

class Shown(Projection):
    name = "shown"

    @singledispatchmethod
    def process_event(self, domain_event, tracking):
        starts_at = getattr(domain_event, "starts_at", None)
        self.view.put(domain_event.originator_id, domain_event.originator_version, starts_at, tracking)

app, last = Sessions(), 0
for _ in range(sessions):
    session = Session(filler)
    for n in range(4):
        session.reschedule(str(n), filler)
    last = app.save(session)[-1].notification.id
begin()
started = time.perf_counter()
with ProjectionRunner(application_class=Sessions, projection_class=Shown, view_class=Rows) as runner:
    runner.wait(last, timeout=240)
    seconds = time.perf_counter() - started
    assert runner.view.max_tracking_id("Sessions") == last
    end(5 * sessions / seconds)
os._exit(0)
"""
)


async def _run(system: System, program: str, connections: int, *words: int) -> tuple[float, Span]:
    """What the program told, on a fresh database."""
    python = await python_with(LOCK)
    address = urlsplit(system.empty_database())
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": address.path[1:],
        "POSTGRES_HOST": str(address.hostname),
        "POSTGRES_PORT": str(address.port),
        "POSTGRES_USER": str(address.username),
        "POSTGRES_PASSWORD": str(address.password),
        "POSTGRES_POOL_SIZE": str(connections),
        "POSTGRES_MAX_OVERFLOW": str(connections),
    }
    clocks = {"PostgreSQL": system.postgres_clock}
    return await measured("eventsourcing", [python, "-c", program, *map(str, words)], clocks, environment)


class Peer:
    """A fresh database per run; a sixth of the commands, as filling it takes as long as five of them each."""

    def __init__(self, system: System, commands: int) -> None:
        self._system, self._commands = system, max(32, commands // 6)

    async def run(self, clients: int) -> Run:
        """The rate in a process of its own."""
        rate, span = await _run(self._system, PROGRAM, clients, self._commands, clients)
        return Run({"commands/s": rate}, {"command": span.cost(self._commands)})


class Runner:
    """A hundred times fewer sessions than ours: it commits once for each event."""

    def __init__(self, system: System, sessions: int) -> None:
        self._system, self._sessions = system, max(10, sessions // 100)

    async def run(self) -> Run:
        """The rate in a process of its own."""
        rate, span = await _run(self._system, PROJECTION, 4, self._sessions)
        return Run({"events/s": rate}, {"event": span.cost(5 * self._sessions)})
