"""Write the lake as Parquet, for whatever else reads it: `python parquet.py`. One file for each topic and month of what happened,
`lake/parquet/topic=…/month=…/events.parquet`. Only the files that are behind are written, each as a whole and renamed into its place, so that
a reader never sees a half, and a kill leaves it to the next run.
"""

import argparse
from pathlib import Path

import lake as lakes


def export(lake: Path) -> list[Path]:
    """Bring every file up to date; answers those that were written or removed."""
    done = []
    with lakes.opened(lake) as con:
        changed = con.execute("SELECT topic, month FROM landed.changed ORDER BY topic, month").fetchall()
        for topic, month in changed:
            file = lake / "parquet" / f"topic={topic}" / f"month={month}" / "events.parquet"
            written = file.with_suffix(".new")
            where = f"topic = $topic AND {lakes.MONTH} = $month"
            rows = con.execute(f"SELECT count(*) FROM landed.event WHERE {where}", {"topic": topic, "month": month}).fetchone()[0]
            if rows:
                file.parent.mkdir(parents=True, exist_ok=True)
                chosen = f"SELECT * EXCLUDE (topic) FROM landed.event WHERE {where} ORDER BY key, ce_sequence"
                target = str(written).replace("'", "''")
                con.execute(
                    f"COPY ({chosen}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)",
                    {"topic": topic, "month": month},
                )
                written.replace(file)
            else:
                file.unlink(missing_ok=True)
            con.execute("DELETE FROM landed.changed WHERE topic = ? AND month = ?", [topic, month])
            done.append(file)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="the lake's folder [lake]")
    print(f"Wrote {len(export(parser.parse_args().lake))} Parquet files.")


if __name__ == "__main__":
    main()
