"""Each role with each privilege of each table, tried on a real PostgreSQL; and what should be.

A privilege is tried by the statement that needs exactly that one, in a transaction that is taken back. PostgreSQL looks
at permissions before it looks at rows: any other complaint means that it was let through. What has no such statement
(REFERENCES; a view of two tables, which nobody can write) is asked of PostgreSQL instead, as every cell is beside.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from booking_ops.access.privileges import EVERY, TABLES

ROLES = ("owner", "app", "analytics")
PRIVILEGES = tuple(sorted(EVERY))
BESIDE = ("CREATE in schema", "CREATE in database", "TEMPORARY", "CREATEROLE", "be the owner")
"""What is tried of each role beside tables."""

_TRIES: dict[str, LiteralString] = {
    "SELECT": "SELECT * FROM {table} LIMIT 0",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {column} = DEFAULT",
    "DELETE": "DELETE FROM {table}",
    "TRUNCATE": "TRUNCATE {table}",
    "TRIGGER": "CREATE TRIGGER tried BEFORE INSERT ON {table} FOR EACH ROW "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "MAINTAIN": "REINDEX TABLE {table}",
}
_BESIDE_TRIES: dict[str, LiteralString] = {
    "CREATE in schema": "CREATE TABLE tried (id int)",
    "CREATE in database": "CREATE SCHEMA tried",
    "TEMPORARY": "CREATE TEMPORARY TABLE tried (id int)",
    "CREATEROLE": "CREATE ROLE tried",
    "be the owner": "SET ROLE {owner}",
}
_BESIDE = {
    "owner": {"CREATE in schema", "CREATE in database", "TEMPORARY", "be the owner"},
    "app": {"TEMPORARY"},
    "analytics": set[str](),
}


_OF_ROWS = {"21", "22", "23", "55", "0A", "P0", "42"}
"""Classes of what PostgreSQL says after it looked at permissions; a mistake of ours in the statement is none."""
_MISTAKES = {"42601", "42P01", "42703", "42883"}


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One question: may this role do that with the table, the column of it, or (`table` is empty) the database?"""

    service: str
    role: str
    table: str
    privilege: str
    column: str = ""


Columns = dict[str, list[str]]
"""Of each table and view of a database."""


def columns(conn: psycopg.Connection[Any]) -> Columns:
    """What the database has, whatever anybody told."""
    found: Columns = {}
    query = """SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0
          AND NOT a.attisdropped ORDER BY 1, a.attnum"""
    for table, column in conn.execute(query):
        found.setdefault(table, []).append(column)
    return found


def cells(service: str, role: str, there: Columns) -> Iterator[Cell]:
    """Every question about a role; what `analytics` reads is asked column by column too."""
    for table, names in there.items():
        yield from (Cell(service, role, table, privilege) for privilege in PRIVILEGES)
        if role == "analytics":
            yield from (Cell(service, role, table, "SELECT", name) for name in names)
    yield from (Cell(service, role, "", one) for one in BESIDE)


def expected(cell: Cell) -> bool:
    """What is told of it."""
    if not cell.table:
        return cell.privilege in _BESIDE[cell.role]
    told = TABLES[cell.service]
    if cell.role == "owner":
        return True
    if cell.role == "app":
        return cell.privilege in told.app.get(cell.table, ())
    withheld = told.analytics.get(cell.table)
    if cell.privilege != "SELECT" or withheld is None:
        return False
    return cell.column not in withheld if cell.column else not withheld


def tried(conn: psycopg.Connection[Any], asked: Iterable[Cell], there: Columns, owner: str) -> dict[Cell, bool]:
    """What PostgreSQL lets whoever this connection is do; AssertionError where it does other than it tells."""
    views = {name for (name,) in conn.execute("SELECT viewname::text FROM pg_views WHERE schemaname = 'public'")}
    return {cell: _let_through(conn, cell, there, views, owner) for cell in asked}


def _let_through(conn: psycopg.Connection[Any], cell: Cell, there: Columns, views: set[str], owner: str) -> bool:
    if not cell.table:
        return _runs(conn, sql.SQL(_BESIDE_TRIES[cell.privilege]).format(owner=sql.Identifier(owner)))
    told = _told(conn, cell)
    table = sql.Identifier("public", cell.table)
    if cell.column:
        found = _runs(conn, sql.SQL("SELECT {} FROM {} LIMIT 0").format(sql.Identifier(cell.column), table))
    elif cell.privilege not in _TRIES or (cell.table in views and cell.privilege != "SELECT"):
        return told
    else:
        column = sql.Identifier(there[cell.table][0])
        found = _runs(conn, sql.SQL(_TRIES[cell.privilege]).format(table=table, column=column))
    assert found == told, f"{cell}: PostgreSQL tells {told} and does {found}"
    return found


def _told(conn: psycopg.Connection[Any], cell: Cell) -> bool:
    name = sql.Identifier("public", cell.table).as_string(conn)
    if cell.column:
        row = conn.execute("SELECT has_column_privilege(%s, %s, %s)", [name, cell.column, cell.privilege]).fetchone()
    else:
        row = conn.execute("SELECT has_table_privilege(%s, %s)", [name, cell.privilege]).fetchone()
    assert row is not None
    return row[0]


def _runs(conn: psycopg.Connection[Any], statement: sql.Composed) -> bool:
    """Whether permissions let it through, whatever becomes of it then."""
    conn.execute("BEGIN")
    try:
        conn.execute(statement)
    except errors.InsufficientPrivilege as denied:
        return denied.diag.context is not None  # events' own trigger says it in these words, of who may
    except psycopg.Error as other:
        if (other.sqlstate or "")[:2] not in _OF_ROWS or other.sqlstate in _MISTAKES:
            raise
    finally:
        conn.execute("ROLLBACK")
    return True
