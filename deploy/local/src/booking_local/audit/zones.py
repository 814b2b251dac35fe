"""S1: sessions to come whose zone has other rules now than when they were set. The instant stays; people may mind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg

from booking_contracts.zones import zone_named
from booking_local.audit.finding import Section
from booking_local.audit.rows import LISTED, rows

_TO_COME = b"""
SELECT id, scheduled_date, time_start, time_end, timezone, starts_at, ends_at
FROM feedback_session WHERE status IN ('scheduled', 'on_progress') ORDER BY starts_at, id
"""


async def audit_zones(url: str) -> Section:
    """List, as notices, the sessions whose local times no longer read as they were written.

    Nothing is wrong with them: both local values and instants are what was decided, and the instants count.
    """
    section = Section("sessions = today's rules of their zones", counts={"sessions": 0, "changed": 0})
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        async for row in rows(conn, "zones", _TO_COME):
            section.counts["sessions"] += 1
            notice = changed(row)
            if notice is None:
                continue
            section.counts["changed"] += 1
            if len(section.notices) < LISTED:
                section.notices.append(notice)
    return section


def changed(row: Mapping[str, Any]) -> str | None:
    """What to say of a session whose instants read otherwise today than they were written; None if they don't."""
    told = f"session {row['id']}: set for {_wall(row)} in {row['timezone']}"
    zone = zone_named(row["timezone"])
    if zone is None:
        return f"{told}, which this release of tzdata doesn't have; it stays at {row['starts_at']:%Y-%m-%d %H:%M}Z"
    start, end = (row[name].astimezone(zone).replace(tzinfo=None) for name in ("starts_at", "ends_at"))
    written = datetime.combine(row["scheduled_date"], row["time_start"])
    ends = datetime.combine(row["scheduled_date"], row["time_end"])
    if start == written and end in (ends, ends + timedelta(days=1)):
        return None
    return f"{told}, by today's rules {start:%Y-%m-%d %H:%M} to {end:%H:%M}; ask its practitioner to set it anew"


def _wall(row: Mapping[str, Any]) -> str:
    return f"{row['scheduled_date']} {row['time_start']:%H:%M} to {row['time_end']:%H:%M}"
