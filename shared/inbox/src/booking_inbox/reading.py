"""From Kafka's raw record to something the rules can judge. Nothing here can raise.

FastStream's own parser dies on a null or non-UTF-8 header, and the next success then commits over the dead record:
silent loss (reliability.md K10). So bytes come in, and what cannot be decoded goes on as `Poison`, to be held (F44).
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

from booking_contracts.decode import Decoded, Record, decode
from booking_contracts.envelope import one_spelling

LONGEST_KEY = 512
"""Bytes. An index row of PostgreSQL takes at most 2,700; our keys are UUIDs."""

LARGEST_VERSION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that no code of today can decode. `version` as far as its headers tell."""

    record: Record
    error: str
    version: int | None


def read(record: Record, *, sequenced: bool) -> Decoded | Poison:
    """Decode, or say why not. Every exception means poison, RecursionError and MemoryError included."""
    try:
        decoded = decode(record)
    except Exception as error:  # noqa: BLE001 -- hostile bytes may break a parser in any way; the record must still be held
        return Poison(record, describe(error), version_in(record))
    if sequenced and not _valid(decoded.meta.sequence):
        return Poison(record, "ce_sequence is missing or out of range", None)
    if key_text(record.key) is None:
        return Poison(record, "the key is missing or too long", decoded.meta.sequence)
    return decoded


def key_text(key: bytes | None) -> str | None:
    """The key as PostgreSQL can store it, or None (missing, no UTF-8, a NUL, too long). A UUID in one spelling."""
    if not key or len(key) > LONGEST_KEY or b"\x00" in key:
        return None
    try:
        return one_spelling(key.decode())
    except UnicodeDecodeError:
        return None


def version_in(record: Record) -> int | None:
    """`ce_sequence`, read with suspicion: of a poisoned record this may be all that is known."""
    found = [value for name, value in record.headers if name == "ce_sequence"]
    if len(found) != 1 or not found[0] or len(found[0]) > 19 or not found[0].isdigit():
        return None
    version = int(found[0])
    return version if _valid(version) else None


def digest_of(record: Record) -> bytes:
    """SHA-256 of key, value and headers: the same record wherever it lies, also in a recreated topic (F51)."""
    sha = hashlib.sha256()
    for part in (record.key, record.value, *(p for name, value in record.headers for p in (_bytes(name), value))):
        sha.update(struct.pack(">q", -1 if part is None else len(part)))
        sha.update(part or b"")
    return sha.digest()


def describe(error: BaseException) -> str:
    """The error in one line for the held table, without the values that pydantic and PostgreSQL like to quote.

    Held rows are read by admins, yet contact data belongs in its table alone (product.md E4)."""
    name = type(error).__name__
    diagnostics = getattr(error, "diag", None)
    if diagnostics is not None:
        return f"{name}: {diagnostics.message_primary or ''} {diagnostics.constraint_name or ''}".strip()[:500]
    errors = getattr(error, "errors", None)
    if callable(errors) and hasattr(error, "error_count"):
        return f"{name}: {_places(error)}"[:500]
    return f"{name}: {error}".replace("\x00", "\\0").encode("utf-8", "replace").decode()[:500]


def _places(error: Any) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'/'.join(map(str, p['loc']))} {p['type']}" for p in problems)


def _valid(version: int | None) -> bool:
    return version is not None and 1 <= version <= LARGEST_VERSION


def _bytes(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
