"""The lake: one DuckDB file, its tables, and how what was taken back leaves it.

`landed.event` has one row for each event, and for each version of a state topic's row, that we have seen: `(topic, ce_id)` is unique, however
often a record is sent. `data` is the event in its type's newest version; null is a tombstone. `landed.position` says where the next record is
read, in the topic of that id. `landed.unread` keeps what this release of the contracts can't read. `landed.changed` names the Parquet files
that are behind.
"""

# pyright: reportMissingImports=false
import time
from contextlib import contextmanager
from pathlib import Path

import duckdb

from booking_contracts.topics import ERASURES
from contract import personal_topics

EVENT = {
    "topic": "VARCHAR",
    "key": "UUID",
    "ce_id": "UUID",
    "ce_sequence": "BIGINT",  # null on another system's topic
    "type": "VARCHAR",
    "version": "INTEGER",
    "happened_at": "TIMESTAMPTZ",  # ce_time
    "recorded_at": "TIMESTAMPTZ",  # the record's own time
    "actor": "VARCHAR",
    "correlation_id": "VARCHAR",
    "causation_id": "VARCHAR",
    "data": "JSON",
}
UNREAD = {
    "topic": "VARCHAR",
    "topic_id": "VARCHAR",
    "partition": "INTEGER",
    "record_offset": "BIGINT",
    "key": "BLOB",
    "headers": "JSON",
    "value": "BLOB",
    "timestamp_ms": "BIGINT",
    "why": "VARCHAR",
}
POSITION = {"topic": "VARCHAR", "partition": "INTEGER", "topic_id": "VARCHAR", "next_offset": "BIGINT"}
CHANGED = {"topic": "VARCHAR", "month": "VARCHAR"}

_TABLES = """
CREATE SCHEMA IF NOT EXISTS landed;
CREATE TABLE IF NOT EXISTS landed.event ({event}, PRIMARY KEY (topic, ce_id));
CREATE TABLE IF NOT EXISTS landed.unread ({unread}, PRIMARY KEY (topic, topic_id, partition, record_offset));
CREATE TABLE IF NOT EXISTS landed.position ({position}, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS landed.changed ({changed}, PRIMARY KEY (topic, month));
"""
MONTH = "strftime(happened_at, '%Y-%m')"


def database(lake: Path) -> Path:
    return lake / "lake.duckdb"


def opened(lake: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """The lake's database, its tables there. DuckDB lets one process write: a second waits here, half a minute at most."""
    try:
        lake.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        raise SystemExit(f"{lake} can't be the lake's folder: {why.strerror}") from None
    until = time.monotonic() + 30
    while True:
        try:
            con = duckdb.connect(str(database(lake)), read_only=read_only)
            break
        except duckdb.IOException as busy:
            if "lock" not in str(busy) or time.monotonic() > until:
                raise SystemExit(f"The lake can't be opened: {busy}") from None
            time.sleep(0.2)
    con.execute("SET TimeZone = 'UTC'")
    if not read_only:
        shapes = {"event": EVENT, "unread": UNREAD, "position": POSITION, "changed": CHANGED}
        listed = {table: ", ".join(f"{name} {kind}" for name, kind in shape.items()) for table, shape in shapes.items()}
        con.execute(_TABLES.format(**listed))
    return con


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection):
    con.execute("BEGIN")
    try:
        yield
    except BaseException:
        con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")


def forget(con: duckdb.DuckDBPyConnection) -> int:
    """Within the caller's transaction: delete what a tombstone took back, and what is a person's own who was erased. Answers how many rows.

    A tombstone stays, so that an older version that comes again is deleted again. Nobody rests on tombstones alone: compaction takes them away, and a
    landing that stood still for longer never sees them; erasures are kept for ever. Who comes back after an erasure under the same id is kept.
    """
    con.execute(
        """CREATE OR REPLACE TEMP TABLE gone AS
        SELECT topic, ce_id, strftime(happened_at, '%Y-%m') AS month FROM landed.event e
        WHERE data IS NOT NULL AND (
            EXISTS (SELECT 1 FROM landed.event t
                    WHERE t.topic = e.topic AND t.key = e.key AND t.data IS NULL AND t.ce_sequence > e.ce_sequence)
            OR (list_contains($personal, topic) AND EXISTS (
                SELECT 1 FROM landed.event p WHERE p.topic = $erasures AND p.key = e.key AND p.happened_at >= e.recorded_at)))""",
        {"personal": personal_topics(), "erasures": ERASURES.name},
    )
    con.execute("INSERT INTO landed.changed SELECT DISTINCT topic, month FROM gone ON CONFLICT DO NOTHING")
    con.execute("DELETE FROM landed.event WHERE (topic, ce_id) IN (SELECT topic, ce_id FROM gone)")
    return con.execute("SELECT count(*) FROM gone").fetchone()[0]
