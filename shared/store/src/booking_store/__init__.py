"""Event streams on PostgreSQL: load, history, an aggregate's append.sql run with its conflicts named, and the one way
a command is carried out."""

from importlib.resources import files

from booking_store.append import MAX_DATA_BYTES, Appended, AppendSql, Cause, IdempotencyKey
from booking_store.command import (
    Aggregate,
    Change,
    CommandContext,
    Conditions,
    Connection,
    FreeText,
    Outcome,
    Refusal,
    handle,
)
from booking_store.errors import (
    Busy,
    CommandError,
    Contended,
    GuardFailed,
    IdempotencyTwin,
    KeyReused,
    Overlap,
    Refused,
    Stale,
    StoreError,
    StreamConflict,
    TooLarge,
    UniqueConflict,
)
from booking_store.streams import LoadBeside, Loaded, LoadedEvent, Remembered, Stored, load, load_latest, load_with_key


def ddl(name: str) -> str:
    """The text of ``sql/<name>.sql`` (``events_v1``), for the services' migrations; ``{app}`` is the run-time role.

    A published text is never changed: an alteration is a new file, so that every migration stays what it was.
    """
    return (files("booking_store") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


__all__ = [
    "MAX_DATA_BYTES",
    "Aggregate",
    "AppendSql",
    "Appended",
    "Busy",
    "Cause",
    "Change",
    "CommandContext",
    "CommandError",
    "Conditions",
    "Connection",
    "Contended",
    "FreeText",
    "GuardFailed",
    "IdempotencyKey",
    "IdempotencyTwin",
    "KeyReused",
    "LoadBeside",
    "Loaded",
    "LoadedEvent",
    "Outcome",
    "Overlap",
    "Refusal",
    "Refused",
    "Remembered",
    "Stale",
    "StoreError",
    "Stored",
    "StreamConflict",
    "TooLarge",
    "UniqueConflict",
    "ddl",
    "handle",
    "load",
    "load_latest",
    "load_with_key",
]
