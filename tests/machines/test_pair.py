"""A primary is lost behind a broken line: what the replica then has, with and without synchronous replication."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.machines.servers import Pair

pytestmark = pytest.mark.servers
PATIENCE_SECONDS = 30.0


class Writer:
    """Writes numbers, each in a transaction of its own, and keeps those that were acknowledged."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[int] = []
        self._url = url
        self._thread = threading.Thread(target=self._write, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def _write(self) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True) as connection:
                for number in range(1_000_000):
                    connection.execute("INSERT INTO written VALUES (%s)", [number])
                    self.acknowledged.append(number)
        except psycopg.OperationalError:
            return  # the primary is lost

    def more(self, count: int) -> bool:
        """Whether so many more are acknowledged soon."""
        wanted, deadline = len(self.acknowledged) + count, time.monotonic() + PATIENCE_SECONDS
        while len(self.acknowledged) < wanted:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


@contextmanager
def pair_of(folder: Path, *, synchronous: bool) -> Iterator[Pair]:
    folder.chmod(0o755)
    pair = Pair(folder, synchronous=synchronous)
    try:
        pair.start()
        with psycopg.connect(pair.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE written (number int)")
        yield pair
    finally:
        pair.stop()


def waits_for_the_replica(pair: Pair) -> bool:
    """Whether a commit soon waits for a replica that gets nothing."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(pair.primary.admin_url, autocommit=True) as admin:
        while time.monotonic() < deadline:
            if admin.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchone():
                return True
            time.sleep(0.01)
    return False


def lost_after(pair: Pair, writer: Writer) -> set[int]:
    """The primary is lost and the replica promoted: what was acknowledged and isn't there."""
    pair.lose_primary()
    writer.join()
    pair.promote()
    with psycopg.connect(pair.url, autocommit=True) as connection:
        assert connection.info.port == pair.replica.port, "libpq takes the one that can be written to"
        there = {number for (number,) in connection.execute("SELECT number FROM written")}
    return set(writer.acknowledged) - there


def test_synchronous__what_the_replica_lacks_was_never_acknowledged(tmp_path: Path):
    with pair_of(tmp_path, synchronous=True) as pair:
        writer = Writer(pair.url)
        writer.start()
        assert writer.more(20)
        pair.cut()
        assert waits_for_the_replica(pair)
        assert lost_after(pair, writer) == set()
        assert len(writer.acknowledged) >= 20


def test_asynchronous__what_was_acknowledged_behind_the_broken_line_is_lost(tmp_path: Path):
    """Why docs/promises.md asks for a synchronous replica: PostgreSQL tells nobody that anything is missing."""
    with pair_of(tmp_path, synchronous=False) as pair:
        writer = Writer(pair.url)
        writer.start()
        assert writer.more(20)
        pair.cut()
        assert writer.more(20)
        assert len(lost_after(pair, writer)) >= 20
