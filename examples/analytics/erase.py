"""Make the disk forget who was erased: `python erase.py`, after each landing that told of an erasure, and once a day in any case.

Landing already deletes the rows: of a tombstone's key what came before it, of an erased person all that is theirs. But a database's file
keeps the bytes of deleted rows, the marts keep names that they were built of, and Parquet files stand as they are. So: the marts are built
anew, the files of the months that changed are rewritten, the database is copied into a new file, and then everything is looked through.
Events stay, as ids that stand for nobody now; copies of the lake elsewhere (backups, extracts) are yours to erase.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import contract
import lake as lakes
import parquet
from booking_contracts.topics import ERASURES

PROJECT = Path(__file__).parent / "dbt"


def erase(lake: Path) -> list[str]:
    """Do it all; answers what still holds something of somebody who was erased, which should be nothing."""
    with lakes.opened(lake) as con, lakes.transaction(con):
        lakes.forget(con)
        marts = con.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'analytics'").fetchone()[0]
        # What nobody could read may be anybody's.
        con.execute(
            "DELETE FROM landed.unread WHERE try_cast(key::VARCHAR AS UUID) IN (SELECT key FROM landed.event WHERE topic = ?)",
            [ERASURES.name],
        )
    if marts:
        build(lake)
    parquet.export(lake)
    rewrite(lake)
    return remains(lake)


def build(lake: Path) -> None:
    settings = {
        "LAKE": str(lake),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(lake / "dbt"),
        "DBT_LOG_PATH": str(lake / "dbt"),
    }
    dbt = Path(sys.executable).with_name("dbt")
    done = subprocess.run([dbt, "--quiet", "run", "--project-dir", PROJECT], env={**os.environ, **settings}, check=False)
    if done.returncode:
        raise SystemExit("The marts could not be built anew, so names may still stand in them: see above, then run this again.")


def rewrite(lake: Path) -> None:
    """The database in a new file, which takes the old one's place at once; nobody may have it open."""
    old, new = lakes.database(lake), lakes.database(lake).with_suffix(".new")
    new.unlink(missing_ok=True)
    with lakes.opened(lake) as con:
        name = con.execute("SELECT current_database()").fetchone()[0]
        con.execute("CHECKPOINT")
        con.execute("ATTACH '{}' AS fresh".format(str(new).replace("'", "''")))
        con.execute(f"COPY FROM DATABASE {name} TO fresh")
        con.execute("DETACH fresh")
        new.replace(old)
    old.with_name(old.name + ".wal").unlink(missing_ok=True)


def remains(lake: Path) -> list[str]:
    """Where in the lake a column of a person's own still has a value for somebody who was erased.

    Looked at is every table that has a column of people's ids beside one of their names, and every Parquet file.
    """
    personal, found = contract.personal_topics(), []
    with lakes.opened(lake, read_only=True) as con:
        con.execute("CREATE TEMP TABLE erased AS SELECT key, max(happened_at) AS at FROM landed.event WHERE topic = ? GROUP BY key", [ERASURES.name])
        files = [f"read_parquet('{file}', hive_partitioning = true)" for file in lake.glob("parquet/*/*/*.parquet")]
        own = "FROM {} kept JOIN erased USING (key) WHERE list_contains($1, topic) AND data IS NOT NULL AND recorded_at {} erased.at"
        for place in ["landed.event", *files]:
            rows = con.execute("SELECT count(*) " + own.format(place, "<="), [personal]).fetchone()[0]
            found += [f"{rows} rows of {place}"] if rows else []
        # Who came back is a person again: of the others no table may say more than the id.
        con.execute(f"DELETE FROM erased WHERE key IN (SELECT key {own.format('landed.event', '>')})", [personal])
        for table, ids, names in con.execute(_COLUMNS, [sorted(own_columns())]).fetchall():
            told = " OR ".join(f'"{name}" IS NOT NULL' for name in names)
            whose = " OR ".join(f'"{one}" IN (SELECT key FROM erased)' for one in ids)
            rows = con.execute(f"SELECT count(*) FROM {table} WHERE ({told}) AND ({whose})").fetchone()[0]
            found += [f"{rows} rows of {table}"] if rows else []
    return found


_COLUMNS = """
WITH columns AS (
    SELECT table_schema || '.' || table_name AS place, column_name AS name, list_contains($1, column_name) AS own,
           data_type = 'UUID' AND column_name IN ('id', 'person_id', 'practitioner_id', 'user_id') AS person
    FROM information_schema.columns WHERE table_schema = 'analytics')
SELECT place, list(name) FILTER (WHERE person), list(name) FILTER (WHERE own) FROM columns GROUP BY place HAVING bool_or(person) AND bool_or(own)"""


def own_columns() -> set[str]:
    """The fields that say who or what the person is: names, words, pictures. A time zone or a tier says it of nobody, and stands in other tables too."""
    events = [event for topic in contract.LANDED if topic.name in contract.personal_topics() for event in topic.events]
    fields = [(name, field.get("x-personal-data")) for event in events for name, field in contract.schema_of(event)["properties"].items()]
    return {name for name, whose in fields if whose not in {None, "pseudonym"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="the lake's folder [lake]")
    left = erase(parser.parse_args().lake)
    if left:
        raise SystemExit("Something of people who were erased is still there: " + "; ".join(left))
    print("Nothing of the people who were erased is in the lake.")


if __name__ == "__main__":
    main()
