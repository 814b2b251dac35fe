"""I6: the rows that one service keeps of another's, against that other's own.

Each comparison is two queries whose rows must be equal, in the order of their keys. The owner's rows are compared with
the fold of their events, or with their topic, in sections of their own.
"""
# ruff: noqa: E501, S608  (SQL reads better with its lines whole; everything put into it is a constant)

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg

from booking_contracts.zones import Zone
from booking_ops.audit.section import Section, compare, rows

PATIENCE = 5.0  # seconds that copies may lag on a running system: consumers were waited for before
LOOK_AGAIN = 0.5


@dataclass(frozen=True, slots=True)
class Copy:
    """`expected` of the owner's database and `found` of the reader's; both give `id`, and are put in its order."""

    name: str
    owner: str
    expected: str
    reader: str
    found: str
    remedy: str = "booking-ops republish; if it stays, a defect"


def _digest(*columns: str) -> str:
    """Contact data are compared and never shown (T20)."""
    return f"md5(row({', '.join(columns)})::text) AS contact"


def _month_of(platform: Zone) -> str:
    """The month of `occurred_at` as SQL. Months begin by our own rules of the zone: PostgreSQL has other ones, its own
    or the system's."""
    years = range(2020, datetime.now(platform).year + 3)
    firsts = [datetime(year, month, 1, tzinfo=platform) for year in years for month in range(1, 13)]
    months, turns = ",".join(f"{first:%Y-%m}" for first in firsts), ",".join(first.isoformat() for first in firsts)
    return f"('{{{months}}}'::text[])[width_bucket(occurred_at, '{{{turns}}}'::timestamptz[])]"


_PROFILE = "SELECT id, name, timezone FROM practitioner {}"
_ACTIVE = "WHERE erased_at IS NULL"

_COPIES = (
    Copy(
        "consultation's sales = Transactions", "checkout",
        "SELECT id, user_id, practitioner_id, version::bigint FROM transaction",
        "consultation",
        "SELECT transaction_id AS id, user_id, practitioner_id, version::bigint FROM entitlement",
    ),
    Copy(
        "consultation's rights = Transactions", "checkout",
        "SELECT id, status IN ('paid') AS paid, kind, request_limit_minutes, auto_start FROM transaction",
        "consultation",
        "SELECT transaction_id AS id, status IN ('paid') AS paid, kind, request_limit_minutes, auto_start FROM entitlement",
    ),
    Copy(
        "the notifier's sales = Transactions", "checkout",
        "SELECT id, product_name FROM transaction",
        "notifier",
        "SELECT transaction_id AS id, product_name FROM sale",
    ),
    Copy(
        "the notifier's sessions = sessions", "consultation",
        "SELECT id, status, schedule_version, starts_at, ends_at FROM feedback_session",
        "notifier",
        "SELECT id, status, schedule_version, starts_at, ends_at FROM session",
    ),
    Copy(
        "checkout's sessions = sessions", "consultation",
        "SELECT id, transaction_id, practitioner_id, status, version::bigint, result_id IS NOT NULL AS has_result FROM feedback_session",
        "checkout",
        "SELECT session_id AS id, transaction_id, practitioner_id, status, version::bigint, has_result FROM consulted_session",
        "booking-ops rebuild ranking",
    ),
    Copy(
        "the calendar's versions = sessions", "consultation",
        "SELECT id, version::bigint FROM feedback_session",
        "calendar",
        # Nothing was applied yet of a key at 0: what came of it is held, and no session of ours need have that id.
        "SELECT session_id AS id, version::bigint FROM session_calendar WHERE version > 0",
        "booking-ops rebuild calendar",
    ),
    Copy(
        "the list = ranking's months", "checkout",
        """SELECT r.practitioner_id || ' ' || r.month || ' ' || r.tier AS id, coalesce(f.productivity, 0) AS productivity,
                  coalesce(f.activity, 0) AS activity, p.completeness
           FROM ranking r JOIN practitioner p ON p.id = r.practitioner_id AND p.active AND r.tier = ANY(p.tiers)
           LEFT JOIN practitioner_month f ON f.practitioner_id = r.practitioner_id AND f.month = r.month""",
        "checkout",
        """SELECT practitioner_id || ' ' || month || ' ' || tier AS id, productivity, activity, completeness
           FROM ranking""",
        "booking-ops rebuild ranking",
    ),
    *(
        Copy(
            f"{reader}'s practitioners = profiles", "checkout", _PROFILE.format(_ACTIVE), reader, _PROFILE.format(""),
        )
        for reader in ("consultation", "notifier")
    ),
    Copy(
        "consultation's contacts = people", "checkout",
        f"SELECT id, {_digest('name', 'phone', 'locale')} FROM person {_ACTIVE}",
        "consultation",
        f"SELECT person_id AS id, {_digest('name', 'phone', 'locale')} FROM contact",
    ),
    Copy(
        "the calendar's practitioners = profiles", "checkout",
        f"SELECT id, name FROM practitioner {_ACTIVE}",
        "calendar",
        "SELECT id, name FROM practitioner",
    ),
    Copy(
        "the calendar's locales = people", "checkout",
        f"SELECT id, locale, {_digest('name')} FROM person {_ACTIVE}",
        "calendar",
        f"SELECT person_id AS id, locale, {_digest('name')} FROM person_locale",
    ),
    Copy(
        "the notifier's contacts = people", "checkout",
        f"SELECT id, {_digest('name', 'email', 'phone', 'locale', 'timezone')} FROM person {_ACTIVE}",
        "notifier",
        f"SELECT person_id AS id, {_digest('name', 'email', 'phone', 'locale', 'timezone')} FROM contact",
    ),
)  # fmt: skip


def copies(platform: Zone) -> tuple[Copy, ...]:
    """All of them; `platform` is the deployment's PLATFORM_TIMEZONE, by which the ranking counts months."""
    months = Copy(
        "ranking's months = events of sessions", "consultation",
        f"""WITH told AS (
               SELECT split_part(metadata ->> 'actor', ':', 2)::uuid AS id, occurred_at, 0 AS productivity, 1 AS activity
               FROM events WHERE stream_type = 'feedback_session' AND metadata ->> 'actor' LIKE 'practitioner:%'
               UNION ALL
               SELECT (e.data ->> 'practitioner_id')::uuid, occurred_at, 1, 0
               FROM events e WHERE e.type = 'ResultUploaded')
           SELECT id || ' ' || {_month_of(platform)} AS id,
                  sum(productivity)::bigint AS productivity, sum(activity)::bigint AS activity
           FROM told GROUP BY 1""",
        "checkout",
        """SELECT practitioner_id || ' ' || to_char(month, 'YYYY-MM') AS id, productivity::bigint, activity::bigint
           FROM practitioner_month WHERE productivity > 0 OR activity > 0""",
        "booking-ops rebuild ranking",
    )  # fmt: skip
    return (*_COPIES, months)


async def audit_copy(urls: Mapping[str, str], copy: Copy, until: float) -> Section:
    """Compare once more as long as there are differences, until this monotonic time: the reader may only lag."""
    while True:
        section = await _compared(urls, copy)
        if section.proven or time.monotonic() > until:
            return section
        await asyncio.sleep(LOOK_AGAIN)


async def _compared(urls: Mapping[str, str], copy: Copy) -> Section:
    section = Section(copy.name)
    async with (
        await psycopg.AsyncConnection.connect(urls[copy.owner], autocommit=True) as owner,
        await psycopg.AsyncConnection.connect(urls[copy.reader], autocommit=True) as reader,
    ):
        expected = rows(owner, "expected", _in_order(copy.expected))
        found = rows(reader, "found", _in_order(copy.found))
        await compare(section, "key", expected, found, invariant="I6", remedy=copy.remedy)
    return section


def _in_order(query: str) -> bytes:
    """By the ids as text, in the order of their bytes: what Python sorts alike."""
    return f'SELECT id::text AS key, * FROM ({query}) q ORDER BY id::text COLLATE "C"'.encode()


# Canceled and failed sessions keep their date; after a change of practitioner the row stays, without a start.
_EVER_DATED = """
    SELECT id AS session_id, transaction_id, practitioner_id, user_id, status, scheduled_date, time_start, time_end,
           timezone, starts_at, ends_at, meeting_link, schedule_version
    FROM feedback_session s
    WHERE EXISTS (SELECT 1 FROM events e WHERE e.stream_id = s.id AND e.type = 'SessionScheduled')
    ORDER BY id"""
_SHOWN = """
    SELECT session_id, transaction_id, practitioner_id, user_id, status, scheduled_date, time_start, time_end,
           timezone, starts_at, ends_at, meeting_link, schedule_version
    FROM user_schedule ORDER BY session_id"""


async def audit_calendar(calendar_url: str, consultation_url: str) -> Section:
    """Compare the calendar's rows with consultation's, which `folds` compares with their events."""
    section = Section("user_schedule = sessions that ever had a date")
    async with (
        await psycopg.AsyncConnection.connect(calendar_url, autocommit=True) as calendar,
        await psycopg.AsyncConnection.connect(consultation_url, autocommit=True) as consultation,
    ):
        expected, found = rows(consultation, "expected", _EVER_DATED), rows(calendar, "schedule", _SHOWN)
        await compare(section, "session_id", expected, found, invariant="I6", remedy="booking-ops rebuild calendar")
    return section
