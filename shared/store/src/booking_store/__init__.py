"""Event streams on PostgreSQL: load, history, and an aggregate's append.sql run with its conflicts named."""

from booking_store.append import MAX_DATA_BYTES, Appended, AppendSql
from booking_store.cause import Cause, IdempotencyKey
from booking_store.ddl import ddl
from booking_store.errors import (
    Contended,
    GuardFailed,
    IdempotencyTwin,
    Overlap,
    StoreError,
    StreamConflict,
    TooLarge,
    UniqueConflict,
)
from booking_store.load import Decided, Loaded, Remembered, load, load_with_key
from booking_store.stored import Stored

__all__ = [
    "MAX_DATA_BYTES",
    "AppendSql",
    "Appended",
    "Cause",
    "Contended",
    "Decided",
    "GuardFailed",
    "IdempotencyKey",
    "IdempotencyTwin",
    "Loaded",
    "Overlap",
    "Remembered",
    "StoreError",
    "Stored",
    "StreamConflict",
    "TooLarge",
    "UniqueConflict",
    "ddl",
    "load",
    "load_with_key",
]
