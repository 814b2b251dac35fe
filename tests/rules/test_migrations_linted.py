"""Every migration by squawk, as Alembic writes it: what holds a lock for long, or breaks a copy that runs, has a reason
here.

An index on a table that people use is made CONCURRENTLY, in an `autocommit_block()` (CONTRIBUTING.md).
"""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from booking_process.migrations import config

SQUAWK = Path(sys.executable).with_name("squawk")
SERVICES = ("checkout", "consultation", "notifier", "calendar_projector")

ELSEWHERE = (
    "require-lock-timeout",  # booking_process.migrations sets both for the session
    "require-statement-timeout",
    "prefer-text-field",  # alembic_version is Alembic's own
    "prefer-bigint-over-int",  # versions, minutes and counts; nothing numbers its rows
    "prefer-bigint-over-smallint",
)

UNRELEASED = "before the first release, when no database had rows to wait for"
FEW = "a row for each practitioner: made within the lock's own milliseconds"
EXEMPT = {
    ("calendar_projector", "0008", "ban-drop-table"): "its rows were copied into the new table a statement before",
    ("checkout", "0003", "ban-drop-constraint"): "replaced in the same statement by a wider one",
    ("checkout", "0003", "constraint-missing-not-valid"): UNRELEASED,
    ("checkout", "0006", "ban-drop-column"): UNRELEASED,
    ("checkout", "0006", "changing-column-type"): UNRELEASED,
    ("checkout", "0006", "renaming-column"): UNRELEASED,
    ("checkout", "0008", "require-concurrent-index-creation"): FEW,
    ("checkout", "0010", "require-concurrent-index-creation"): FEW,
    ("consultation", "0006", "ban-drop-column"): UNRELEASED,
    ("consultation", "0006", "changing-column-type"): UNRELEASED,
    ("consultation", "0006", "renaming-column"): UNRELEASED,
    ("consultation", "0008", "require-concurrent-index-creation"): UNRELEASED,
    ("consultation", "0009", "require-concurrent-index-creation"): UNRELEASED,
    ("notifier", "0002", "require-concurrent-index-creation"): UNRELEASED,
    ("notifier", "0002", "require-concurrent-index-deletion"): UNRELEASED,
    ("notifier", "0006", "ban-drop-not-null"): "only readers who know an erased person's empty row came with it",
    ("notifier", "0006", "constraint-missing-not-valid"): UNRELEASED,
    ("notifier", "0008", "ban-drop-column"): "the locale became checkout's: one place, and no reader left",
    ("notifier", "0008", "ban-drop-constraint"): "replaced in the same statement, for the columns that stay",
    ("notifier", "0008", "constraint-missing-not-valid"): UNRELEASED,
}
"""Of each (service, revision, rule) why it may stay. A published migration is never edited, so no row is taken out."""


def written(service: str) -> dict[str, str]:
    """The SQL of each revision, which `migrate` would run."""
    found: dict[str, str] = {}
    alembic = config(f"postgresql://{service}_owner@nowhere/{service}", f"{service}:migrations")
    for revision in ScriptDirectory.from_config(alembic).walk_revisions():
        alembic.output_buffer = io.StringIO()
        before = revision.down_revision or "base"
        command.upgrade(alembic, f"{before}:{revision.revision}", sql=True)
        found[revision.revision] = alembic.output_buffer.getvalue().replace("{app}", f"{service}_app")
    return found


def complaints(folder: Path) -> set[tuple[str, str]]:
    """(file's name, rule) of everything that squawk says of the SQL in a folder."""
    files = sorted(str(path) for path in folder.glob("*.sql"))
    excluded = ["--exclude", ",".join(ELSEWHERE)]
    options = ["--pg-version=18", "--reporter=json"]
    done = subprocess.run([SQUAWK, *options, *excluded, *files], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return {(Path(one["file"]).stem, one["rule_name"]) for one in json.loads(done.stdout)}


@pytest.mark.parametrize("service", SERVICES)
def test_migrations__hold_no_lock_for_long_and_break_no_copy_that_runs(service: str, tmp_path: Path):
    for revision, sql in written(service).items():
        (tmp_path / f"{revision}.sql").write_text(sql, "utf-8")
    exempt = {(revision, rule) for name, revision, rule in EXEMPT if name == service}
    assert complaints(tmp_path) == exempt


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("CREATE INDEX event_by_type ON events (type);", "require-concurrent-index-creation"),
        ("ALTER TABLE events DROP COLUMN traceparent;", "ban-drop-column"),
        ("ALTER TABLE events ADD COLUMN whose uuid NOT NULL;", "adding-required-field"),
    ],
)
def test_a_migration_that_would_stop_somebody__is_named(sql: str, rule: str, tmp_path: Path):
    (tmp_path / "0099.sql").write_text(f"BEGIN;\n{sql}\nCOMMIT;", "utf-8")
    assert complaints(tmp_path) == {("0099", rule)}


def test_an_index_made_beside_the_writers__passes(tmp_path: Path):
    (tmp_path / "0099.sql").write_text(
        "BEGIN;\nCOMMIT;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS event_by_type ON events (type);\nBEGIN;\nCOMMIT;",
        "utf-8",
    )
    assert complaints(tmp_path) == set()
