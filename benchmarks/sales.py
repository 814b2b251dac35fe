"""Transactions in bulk: one is bought and paid for by the command handler, and copied in PostgreSQL with other ids."""

from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.world import World, numbered
from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.transactions import ProductSnapshot
from booking_store import Cause, CommandContext, handle
from checkout.transactions.commands import Candidate, Command, Create, NewIds, Offer, ReportPayment
from checkout.transactions.state import State
from checkout.transactions.store import TRANSACTION
from consultation.dependencies import now

# Whole rows as JSON, in which the pattern's ids are replaced: whatever columns a table has, they come along.
_COPY = """
INSERT INTO {table} ({columns})
SELECT {given} FROM {table} pattern, generate_series(1, %(last)s) n, LATERAL json_populate_record(NULL::{table},
    replace(replace(replace(replace(row_to_json(pattern)::text,
        %(transaction)s, %(transactions)s || lpad(to_hex(n), 12, '0')),
        %(member)s, %(members)s || lpad(to_hex(n %% %(different_members)s), 12, '0')),
        %(practitioner)s, %(practitioners)s || lpad(to_hex(n %% %(different_practitioners)s), 12, '0')),
        %(event)s, uuidv7()::text)::json) copied
WHERE {chosen}
"""
_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
AND attidentity = '' AND attgenerated = ''
"""


async def sold(conn: psycopg.AsyncConnection[Any], world: World) -> None:
    """As many Transactions as there are sessions, each paid; on an autocommit connection of the owner's."""
    pattern, member, practitioner = numbered(3, 0), numbered(2, 0), numbered(1, 0)
    at, price = now(), Money(250_000, "IDR")
    product = ProductSnapshot(id=uuid7(), name="Konseling", kind="counseling", tier="gold", duration_minutes=60)
    offer = Offer(product, price, request_limit_minutes=10_080, auto_start=False, active=True)
    chosen = Candidate(practitioner, frozenset({"gold"}), active=True)
    commands: tuple[Command, ...] = (
        Create(pattern, member, offer, chosen, "manual", at + timedelta(days=1)),
        ReportPayment("manual", "bench", "paid", price, at, NewIds(uuid7(), uuid7(), uuid7(), uuid7())),
    )
    for command in commands:

        async def made(_state: State, command: Command = command) -> Command:
            return command

        await handle(conn, TRANSACTION, pattern, made, CommandContext(Cause("system", "bench"), at))
    await conn.execute("DELETE FROM outbox")
    ids = {
        "last": world.sessions - 1,
        "transaction": str(pattern),
        "transactions": str(pattern)[:24],
        "member": str(member),
        "members": str(member)[:24],
        "different_members": world.members,
        "practitioner": str(practitioner),
        "practitioners": str(practitioner)[:24],
        "different_practitioners": world.practitioners,
    }
    events = await (await conn.execute("SELECT id::text FROM events ORDER BY version")).fetchall()
    for table, event in [*(("events", event) for (event,) in events), ("transaction", ""), ("payment_session", "")]:
        columns = [row[0] for row in await (await conn.execute(_COLUMNS, [table])).fetchall()]
        copy = sql.SQL(_COPY).format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            given=sql.SQL(", ").join(sql.Identifier("copied", column) for column in columns),
            chosen=sql.SQL("pattern.id = %(event)s::uuid" if event else "true"),
        )
        await conn.execute(copy, {**ids, "event": event or "none"})
