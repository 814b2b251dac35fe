"""A PostgreSQL (durable) and a Kafka of the benchmarks' own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from booking_local.servers.kafka import Kafka
from booking_local.servers.postgres import Postgres

Migrate = Callable[[psycopg.Connection], None]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for servers' data, gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="booking-bench-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def postgres(path: Path) -> Iterator[Postgres]:
    """PostgreSQL with fsync on: durable work is what is measured."""
    server = Postgres(path / "postgres", durable=True).start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def kafka(path: Path) -> Iterator[Kafka]:
    """One broker."""
    server = Kafka(path / "kafka").start()
    try:
        yield server
    finally:
        server.stop()


def database(server: Postgres, name: str, *texts: str) -> str:
    """A database with these tables; its URL. One role does everything: rights cost nothing at run time."""
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    url = server.url(name)
    with psycopg.connect(url, autocommit=True) as conn:
        for text in texts:
            conn.execute(text.replace("{app}", "postgres").encode())
    return url
