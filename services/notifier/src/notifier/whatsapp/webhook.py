"""Meta's status webhooks: proved on the raw bytes, then read tolerantly (T22, F76)."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

Status = Literal["sent", "delivered", "read", "failed"]


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """One status of one message. Statuses come unordered and twice, and `delivered` may be left out."""

    status: Status
    wamid: str | None
    notification_id: UUID | None
    at: datetime
    code: int | None


def genuine(raw: bytes, signature: str | None, secrets: tuple[str, ...]) -> bool:
    """Whether `X-Hub-Signature-256` proves these exact bytes by one of the secrets (several while one is rotated)."""
    given = (signature or "").removeprefix("sha256=").encode("utf-8", "replace")
    # Every secret is tried, in constant time each: the time taken tells nothing.
    matches = [
        hmac.compare_digest(hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest().encode(), given)
        for secret in secrets
        if secret
    ]
    return any(matches)


def statuses(raw: bytes) -> list[StatusUpdate]:
    """The statuses in a webhook's body, unknown shapes left out; ValueError if it is no JSON object."""
    try:
        document = json.loads(raw)
    except RecursionError as deep:
        raise ValueError("nested too deep") from deep
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a wrong body is a wrong value to the caller
    return [update for value in _values(document) if (update := _update(value)) is not None]


def _values(document: dict[str, Any]) -> Iterator[Any]:
    for entry in _list(document.get("entry")):
        for change in _list(_get(entry, "changes")):
            yield from _list(_get(_get(change, "value"), "statuses"))


def _update(value: Any) -> StatusUpdate | None:
    status = _get(value, "status")
    if status not in ("sent", "delivered", "read", "failed"):
        return None
    wamid = _get(value, "id")
    return StatusUpdate(
        status=status,
        wamid=wamid
        if isinstance(wamid, str) and len(wamid) <= 200 and wamid.isascii() and wamid.isprintable()
        else None,
        notification_id=_uuid(_get(value, "biz_opaque_callback_data")),
        at=_instant(_get(value, "timestamp")),
        code=_code(_get(value, "errors")),
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _instant(value: Any) -> datetime:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _code(errors: Any) -> int | None:
    code = _get(_list(errors)[0] if _list(errors) else None, "code")
    return code if isinstance(code, int) else None
