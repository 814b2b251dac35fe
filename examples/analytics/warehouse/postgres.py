"""Bring what is landed to PostgreSQL, for the same models there: `PGHOST=… PGDATABASE=… python warehouse/postgres.py --lake lake`, then
`dbt build --target warehouse`. One transaction makes PostgreSQL's `landed.event` what the lake's is: new events come, erased rows go.
"""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
import argparse
import sys
import tempfile
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).parents[1]))

import lake as lakes

KINDS = {"VARCHAR": "text", "JSON": "jsonb"}
_TABLE = "CREATE SCHEMA IF NOT EXISTS landed; CREATE TABLE IF NOT EXISTS landed.event ({columns}, PRIMARY KEY (topic, ce_id))"
_GONE = "DELETE FROM landed.event e WHERE NOT EXISTS (SELECT 1 FROM come c WHERE c.topic = e.topic AND c.ce_id = e.ce_id)"
_TOLD = [name for name in lakes.EVENT if name not in {"topic", "ce_id"}]
_NEW = f"""INSERT INTO landed.event SELECT * FROM come ON CONFLICT (topic, ce_id) DO UPDATE
SET {", ".join(f"{name} = excluded.{name}" for name in _TOLD)}
WHERE ({", ".join(f"event.{name}" for name in _TOLD)}) IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _TOLD)})"""


def bring(lake: Path) -> tuple[int, int]:
    """How many rows came or changed, and how many went."""
    columns = ", ".join(f"{name} {KINDS.get(kind, kind)}" for name, kind in lakes.EVENT.items())
    with tempfile.TemporaryDirectory() as folder, psycopg2.connect("") as warehouse, warehouse.cursor() as cursor:
        file = Path(folder) / "event.csv"
        with lakes.opened(lake, read_only=True) as con:
            con.execute(f"COPY landed.event TO '{file}' (FORMAT csv, HEADER false)")
        cursor.execute(_TABLE.format(columns=columns))
        cursor.execute("CREATE TEMP TABLE come (LIKE landed.event) ON COMMIT DROP")
        with file.open() as rows:
            cursor.copy_expert("COPY come FROM STDIN (FORMAT csv)", rows)
        cursor.execute("ALTER TABLE come ADD PRIMARY KEY (topic, ce_id)")
        cursor.execute("ANALYZE come")
        cursor.execute(_GONE)
        went = cursor.rowcount
        cursor.execute(_NEW)
        return cursor.rowcount, went


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="the lake's folder [lake]")
    came, went = bring(parser.parse_args().lake)
    print(f"PostgreSQL has what the lake has: {came:,} rows came or changed, {went:,} went.")


if __name__ == "__main__":
    main()
