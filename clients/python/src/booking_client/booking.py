"""Where Booking is, and the connections to it: one for each process."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from booking_client.caller import Caller
from booking_client.calls import Calls, Service, Token
from booking_client.operators import Operator
from booking_client.retries import Patience
from booking_client.seen import Seen

C = TypeVar("C", bound=Calls)
Servers = str | Mapping[Service, str]
"""One address of whatever stands before all services, or one of each: `{"checkout": "https://...", ...}`."""


class Booking:
    """Made once, closed at the end, within the event loop that calls: `async with Booking(servers) as booking`.

    Give a client of your own for certificates, proxies or limits; it is yours to close.
    """

    def __init__(
        self, servers: Servers, *, patience: Patience | None = None, client: httpx2.AsyncClient | None = None
    ) -> None:
        self._servers = servers
        self._patience = patience or Patience()
        self._own = httpx2.AsyncClient() if client is None else None
        self._client = client or self._own or httpx2.AsyncClient()

    def caller(
        self,
        token: Token = None,
        *,
        seen: Seen | None = None,
        patience: Patience | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Caller:
        """Who calls: a bearer token, or what gives one for each try. It is cheap: make one for each request you serve.

        `seen` is what their session saw before (else nothing); `headers` go with every call, such as `X-Request-Id`.
        """
        return self._made(Caller, token, seen, patience, headers)

    def operator(
        self,
        token: Token = None,
        *,
        seen: Seen | None = None,
        patience: Patience | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Operator:
        """As above, for what who runs the system calls (docs/openapi-operators.json)."""
        return self._made(Operator, token, seen, patience, headers)

    def _made(
        self,
        kind: type[C],
        token: Token,
        seen: Seen | None,
        patience: Patience | None,
        headers: Mapping[str, str] | None,
    ) -> C:
        return kind(
            self._client,
            self._servers,
            token=token,
            seen=Seen() if seen is None else seen,
            patience=patience or self._patience,
            headers=headers or {},
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._own is not None:
            await self._own.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
