"""Emmett on Node: load a stream of five events, fold it, append one more with the expected version. No read row."""

from pathlib import Path

from benchmarks.harness import Run
from benchmarks.peers.program import measured
from benchmarks.system import System
from booking_local.packages import node_with

NAME = "Emmett 0.42 on Node, without a read row"


class Peer:
    """A fresh database per run; a third of the commands."""

    def __init__(self, system: System, commands: int) -> None:
        self._system, self._commands = system, max(32, commands // 3)

    async def run(self, clients: int) -> Run:
        """The rate of one process of Node."""
        node, folder = await node_with(Path(__file__).parent / "emmett")
        words = [node, folder / "append.mjs", self._system.empty_database(), str(self._commands), str(clients)]
        (done, seconds), span = await measured("Emmett", words, {"PostgreSQL": self._system.postgres_clock})
        return Run({"commands/s": done / seconds}, {"command": span.cost(done)})
