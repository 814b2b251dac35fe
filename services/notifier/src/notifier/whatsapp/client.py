"""One call of the Cloud API: `POST {base}/{phone_number_id}/messages`. Replies are untrusted (T28)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from notifier.sending.outcome import Accepted, Outcome, ProviderDown, Unknown
from notifier.whatsapp.errors import outcome_of

_MAX_REPLY = 64 * 1024


class CloudApi:
    """The thin client. No redirect is followed, no reply beyond 64 KiB is read, every wait has an end."""

    def __init__(self, base_url: str, phone_number_id: str, token: str, *, timeout: float = 15.0) -> None:
        self._path = f"{base_url.rstrip('/')}/{phone_number_id}/messages"
        # A kept-alive connection that the server has just closed fails after the request was written, which looks like
        # a lost answer and would make a harmless message ambiguous. A fresh connection fails while connecting instead.
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(timeout, connect=min(5.0, timeout)),
            limits=httpx2.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, body: Mapping[str, Any]) -> Outcome:
        """Send one message. Never raises for what the network or the provider does."""
        try:
            async with self._client.stream("POST", self._path, json=dict(body)) as response:
                reply = await _read(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol):
            return ProviderDown("whatsapp_unreachable")
        except httpx2.HTTPError as cut:
            # The request had begun to leave: Meta may have taken it although we hold no answer (F85).
            return Unknown(f"whatsapp_{type(cut).__name__.lower()}")
        return _outcome(response.status_code, reply, _retry_after(response.headers.get("retry-after")))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


async def _read(response: httpx2.Response) -> bytes:
    reply = b""
    async for chunk in response.aiter_bytes():
        reply += chunk
        if len(reply) > _MAX_REPLY:
            return b""
    return reply


def _outcome(status: int, reply: bytes, retry_after: float | None) -> Outcome:
    document = _document(reply)
    if 200 <= status < 300:
        wamid = _wamid(document)
        # 2xx without Meta's id is a stranger's answer: perhaps taken, perhaps not.
        return Accepted(wamid) if wamid is not None else Unknown("whatsapp_strange_answer")
    return outcome_of(_code(document), status, retry_after)


def _document(reply: bytes) -> Any:
    try:
        return json.loads(reply)
    except (ValueError, RecursionError):
        return None


def _wamid(document: Any) -> str | None:
    match document:
        case {"messages": [{"id": str(wamid)}, *_]} if 0 < len(wamid) <= 200:
            return wamid
        case _:
            return None


def _code(document: Any) -> int | None:
    match document:
        case {"error": {"code": int(code)}}:
            return code
        case _:
            return None


def _retry_after(value: str | None) -> float | None:
    """Seconds, from either form of RFC 9110 §10.2.3; at most an hour, since a provider's typo must not silence us."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else _until(value)
    except ValueError:
        return None
    return min(max(seconds, 0.0), 3600.0)


def _until(value: str) -> float:
    moment = parsedate_to_datetime(value)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
