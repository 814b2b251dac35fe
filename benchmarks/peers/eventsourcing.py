"""The library `eventsourcing`: load an aggregate of five events, trigger one more, save. It keeps no read row.

Its recorder locks the table for every append, so its rate hardly rises with the clients.
"""

import asyncio
import json
from urllib.parse import urlsplit

from benchmarks.harness import Figures
from benchmarks.peers.environment import python_with
from benchmarks.system import System

REQUIREMENT = "eventsourcing[postgres]==9.5.*"
NAME = "eventsourcing 9.5, without a read row"

PROGRAM = """
import json, os, sys, threading, time
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
started = time.perf_counter()
for thread in threads: thread.start()
for thread in threads: thread.join()
seconds = time.perf_counter() - started
assert app.repository.get(ids[-1]).version == 6
print(json.dumps(commands / seconds), flush=True)
os._exit(0)
"""


class Peer:
    """A fresh database per run; a sixth of the commands, as filling it takes as long as five of them each."""

    def __init__(self, system: System, commands: int) -> None:
        self._system, self._commands = system, max(32, commands // 6)

    async def run(self, clients: int) -> Figures:
        """The rate in a process of its own."""
        python = await python_with(REQUIREMENT)
        address = urlsplit(self._system.empty_database())
        environment = {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": address.path[1:],
            "POSTGRES_HOST": str(address.hostname),
            "POSTGRES_PORT": str(address.port),
            "POSTGRES_USER": str(address.username),
            "POSTGRES_PASSWORD": str(address.password),
            "POSTGRES_POOL_SIZE": str(clients),
            "POSTGRES_MAX_OVERFLOW": str(clients),
        }
        process = await asyncio.create_subprocess_exec(
            str(python), "-c", PROGRAM, str(self._commands), str(clients), env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, errors = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"eventsourcing failed: {errors.decode()[-2000:]}")
        return {"commands/s": json.loads(out)}
