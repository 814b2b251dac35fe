"""PostgreSQL's refusal, by the constraint that spoke, in the words of `booking_store.errors`."""

import re
from collections.abc import Mapping
from uuid import UUID

from psycopg import errors

from booking_store.errors import IdempotencyTwin, Overlap, StoreError, StreamConflict, TooLarge, UniqueConflict

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def conflict(error: errors.IntegrityError, constraints: Mapping[str, str]) -> StoreError | None:
    """The named conflict, or None for a constraint that is no rule of the domain (a bug; let it rise as it is)."""
    constraint = error.diag.constraint_name or ""
    match error:
        case errors.UniqueViolation() if constraint == "events_stream_version":
            return StreamConflict(str(error))
        case errors.UniqueViolation() if constraint == "idempotency_pkey":
            return IdempotencyTwin(str(error))
        case errors.UniqueViolation():
            return UniqueConflict(constraint, constraints.get(constraint, constraint))
        case errors.ExclusionViolation():
            return Overlap(constraint, _persons(error.diag.message_detail or ""))
        case errors.CheckViolation() if constraint == "events_data_size":
            return TooLarge(str(error))
        case _:
            return None


def _persons(detail: str) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(UUID(text) for text in _UUID.findall(detail)))
