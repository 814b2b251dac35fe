"""Rows of state topics brought back: each that the topic has in a higher version than its store, as the topic tells it.

Tombstones are left: an erasure deletes more than a row, `python -m checkout replay-erasures` does it again.
"""
# ruff: noqa: S608 - the SQL is made of constants

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.topics import CONTACTS, PRACTITIONERS, PREFERENCES, PRODUCTS, Topic
from booking_ops.audit.section import Progress
from booking_ops.audit.topics import identity, read_topic


@dataclass(frozen=True, slots=True)
class Rows:
    """A state topic's table: its key, and what each other column is of the topic's value ``v`` (JSON)."""

    topic: Topic
    table: str
    key: str
    columns: dict[str, str]
    caused: bool = True
    """Whether the row keeps who changed it and why."""

    def statement(self) -> str:
        """Of %(key)s, %(version)s, %(value)s and %(actor)s: one row, unless the store's is as new."""
        told = {self.key: "%(key)s::uuid", "version": "%(version)s::int", **self.columns}
        if self.caused:
            told |= {"actor": "%(actor)s::text", "correlation_id": "%(correlation_id)s::text"}
        kept = ", ".join(f"{name} = excluded.{name}" for name in told if name != self.key)
        return f"""
            INSERT INTO {self.table} AS r ({", ".join(told)})
            SELECT {", ".join(told.values())} FROM (SELECT %(value)s::jsonb AS v) told
            ON CONFLICT ({self.key}) DO UPDATE SET {kept} WHERE r.version < excluded.version"""


def _texts(*names: str) -> dict[str, str]:
    return {name: f"v ->> '{name}'" for name in names}


def _typed(type_: str, *names: str) -> dict[str, str]:
    return {name: f"(v ->> '{name}')::{type_}" for name in names}


ROWS: dict[str, tuple[Rows, ...]] = {
    "checkout": (
        Rows(
            PRODUCTS,
            "product",
            "id",
            {
                **_texts("name", "kind", "tier"),
                "amount": "(v -> 'price' ->> 'amount')::bigint",
                "currency": "v -> 'price' ->> 'currency'",
                **_typed("int", "duration_minutes", "payment_ttl_minutes", "request_limit_minutes"),
                **_typed("boolean", "auto_start", "active"),
            },
        ),
        Rows(
            PRACTITIONERS,
            "practitioner",
            "id",
            {
                **_texts("name", "photo_url", "bio", "profession", "timezone"),
                "tiers": "ARRAY(SELECT jsonb_array_elements_text(v -> 'tiers'))",
                **_typed("boolean", "active"),
            },
        ),
        Rows(
            CONTACTS,
            "person",
            "id",
            {**_texts("name", "email", "phone", "locale", "timezone"), "claimed": "true"},
        ),
    ),
    "consultation": (),
    "notifier": (Rows(PREFERENCES, "preference", "person_id", _typed("boolean", "email", "whatsapp"), caused=False),),
}


async def bring_rows_back(
    conn: psycopg.AsyncConnection[Any], rows: Rows, bootstrap: str, prefix: str, progress: Progress | None = None
) -> list[UUID]:
    """Bring back what is newer in the topic; the keys of the rows that were written."""
    newest: dict[str, tuple[int, Any]] = {}
    async for record in read_topic(bootstrap, prefix + rows.topic.name, progress):
        one = identity(record)
        ours = dict(record.headers).get("ce_source") == rows.topic.source.encode()
        if one is not None and ours and one.sequence > newest.get(one.key, (0, None))[0]:
            newest[one.key] = (one.sequence, record)
    written: list[UUID] = []
    for key, (version, record) in newest.items():
        if record.value is None:
            continue
        metadata = json.loads(dict(record.headers)["ce_metadata"])
        told = {"key": key, "version": version, "value": record.value.decode(), "actor": metadata["actor"]}
        told["correlation_id"] = metadata["correlation_id"]
        cursor = await conn.execute(rows.statement().encode(), told)
        if cursor.rowcount:
            written.append(UUID(key))
    return written
