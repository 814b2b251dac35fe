"""How an operation is sent: to its service, with token, key and what was seen, again where that helps."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2

from booking_client.answers import NotModified, Versioned
from booking_client.problems import refusal
from booking_client.refusals import Unanswered, Unexpected
from booking_client.retries import AGAIN, Patience
from booking_client.seen import Seen

Service = Literal["checkout", "consultation", "notifier", "calendar"]
Token = str | Callable[[], Awaitable[str]] | None
Value = str | float | bool | UUID | date | Sequence[Any] | None
"""Of a parameter; an instant has its offset."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One of the document's: where it goes and what may be sent with it."""

    name: str
    method: str
    path: str
    service: Service
    keyed: bool = False
    """Takes an Idempotency-Key."""
    consistent: bool = False
    """Takes Consistency-Tokens."""
    bearer: bool = True

    def at(self, service: Service) -> "Operation":
        """The same of another service that has it."""
        return replace(self, service=service)


class Calls:
    """The part of a Caller that is the same for all operations."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        servers: str | Mapping[Service, str],
        *,
        token: Token,
        seen: Seen,
        patience: Patience,
        headers: Mapping[str, str],
    ) -> None:
        self.seen = seen
        self._client = client
        self._servers = servers
        self._token = token
        self._patience = patience
        self._headers = headers

    async def _send(
        self,
        operation: Operation,
        path: Mapping[str, Value] | None = None,
        *,
        query: Mapping[str, Value] | None = None,
        headers: Mapping[str, str | None] | None = None,
        key: str | None = None,
        body: Any = None,
    ) -> Any:
        """An answer, Versioned or not, or NotModified; raises Refused, Unanswered or Unexpected."""
        request = self._request(operation, path or {}, query or {}, headers or {}, body)
        if operation.keyed:
            request.headers["Idempotency-Key"] = key = key or str(uuid4())
        asked = _asked(query or {})
        loop = asyncio.get_running_loop()
        began = loop.time()
        until = began + self._patience.deadline + asked
        for tries in itertools.count(1):
            try:
                answer = await self._try(request, min(self._patience.attempt + asked, until - loop.time()), operation)
            except (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError):
                raise  # it cannot be sent at all
            except (httpx2.TransportError, TimeoutError) as broken:
                pause = self._patience.pause(tries)
                if loop.time() + pause >= self._patience.end(broken, began, until):
                    raise Unanswered(operation.name, key) from broken
            else:
                pause = self._patience.pause(tries, answer.headers.get("Retry-After"))
                if answer.status_code not in AGAIN or loop.time() + pause >= until:
                    return self._taken(operation, answer)
            await asyncio.sleep(pause)
        raise AssertionError("itertools.count ended")

    async def _stream(
        self,
        operation: Operation,
        *,
        query: Mapping[str, Value] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> AsyncIterator[httpx2.ServerSentEvent]:
        """One connection's events: it ends when the service or the token does, and raises httpx2's when it breaks."""
        request = self._request(operation, {}, query or {}, headers or {}, None)
        await self._authorize(request, operation)
        request.extensions["timeout"] = httpx2.Timeout(self._patience.attempt).as_dict()
        answer = await self._client.send(request, stream=True)
        try:
            if answer.is_error:
                await answer.aread()
                self._taken(operation, answer)
            async for event in httpx2.EventSource(answer):
                yield event
        finally:
            await answer.aclose()

    def _request(
        self,
        operation: Operation,
        path: Mapping[str, Value],
        query: Mapping[str, Value],
        headers: Mapping[str, str | None],
        body: Any,
    ) -> httpx2.Request:
        base = self._servers if isinstance(self._servers, str) else self._servers[operation.service]
        where = operation.path.format_map({name: _segment(value) for name, value in path.items()})
        request = self._client.build_request(
            operation.method,
            base.rstrip("/") + where,
            params=[(name, text) for name, value in query.items() for text in _texts(value)],
            headers={**self._headers, **{name: text for name, text in headers.items() if text is not None}},
            json=body,
        )
        if operation.consistent and (tokens := self.seen.header(operation.service)):
            request.headers["Consistency-Token"] = tokens
        return request

    async def _try(self, request: httpx2.Request, seconds: float, operation: Operation) -> httpx2.Response:
        await self._authorize(request, operation)
        request.extensions["timeout"] = httpx2.Timeout(seconds, connect=min(seconds, 5.0)).as_dict()
        async with asyncio.timeout(seconds + 1):  # one whose answer trickles; else httpx2's own is first
            return await self._client.send(request)

    async def _authorize(self, request: httpx2.Request, operation: Operation) -> None:
        token = await self._token() if callable(self._token) else self._token
        if operation.bearer and token:
            request.headers["Authorization"] = f"Bearer {token}"

    def _taken(self, operation: Operation, answer: httpx2.Response) -> Versioned[Any] | NotModified:
        if answer.status_code == 304:
            return NotModified(answer.headers)
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if kind == "application/problem+json":
            raise refusal(answer.json(), answer.headers)
        if not answer.is_success:
            raise Unexpected(operation.name, answer.status_code, answer.text)
        self.seen.take(operation.service, answer.headers.get("Consistency-Token"))
        body = answer.json() if kind == "application/json" else answer.text or None
        return Versioned(body, answer.status_code, answer.headers)


def _asked(query: Mapping[str, Value]) -> float:
    """Seconds that a service waits at most, because the call asks for it."""
    if query.get("wait_for"):
        told, unless_told = query.get("wait_for_seconds"), 30.0
    else:
        told, unless_told = query.get("wait", 0), 2.0
    return float(told) if isinstance(told, (int, float)) else unless_told


def _segment(value: Value) -> str:
    """Of an address. What would lead elsewhere is refused: it may come from a browser."""
    text = _text(value)
    if text in {"", ".", ".."}:
        raise ValueError(f"{text!r} is no id")
    return quote(text, safe="")


def _texts(value: Value) -> list[str]:
    """As they stand in an address; a list is sent once for each of its values."""
    if value is None:
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_text(one) for one in value]
    return [_text(value)]


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() if value.tzinfo is None:
            raise ValueError(f"{value} has no offset: which instant is it?")
        case date():
            return value.isoformat()
        case _:
            return str(value)
