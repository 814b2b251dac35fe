"""Calls to a provider: one deadline for the whole of it, no redirects, a bounded reply (T28)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx2

from checkout.payments.provider import BadBodyError, ProviderDownError
from checkout.payments.wire import json_object

DEADLINE = 5.0  # seconds for connecting, sending and reading together (P3)
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    said: dict[str, Any]
    body: bytes


class Caller:
    """An HTTP client that cannot be kept waiting, led astray or flooded. Its connections open at the first call."""

    def __init__(self, *, username: str, deadline: float = DEADLINE) -> None:
        self._auth = httpx2.BasicAuth(username, "")
        self._deadline = deadline
        self._client: httpx2.AsyncClient | None = None

    async def call(self, method: str, url: str, *, json: Any = None) -> Reply:
        """Return a JSON reply of any status; `ProviderDownError` for everything else."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._call(method, url, json)
        except TimeoutError:
            raise ProviderDownError("no answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, BadBodyError, OSError) as error:
            raise ProviderDownError(type(error).__name__) from error

    async def _call(self, method: str, url: str, json: Any) -> Reply:
        async with self._open().stream(method, url, json=json, headers={"Accept": "application/json"}) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes(8192):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ProviderDownError("the reply is too large")
            if 300 <= response.status_code < 400 or response.status_code >= 500:
                raise ProviderDownError(f"status {response.status_code}")
            return Reply(response.status_code, json_object(bytes(body)), bytes(body))

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            # No environment: a proxy variable must not carry the server key to somebody else.
            self._client = httpx2.AsyncClient(
                auth=self._auth, timeout=self._deadline, follow_redirects=False, trust_env=False
            )
        return self._client

    async def close(self) -> None:
        """Close idle connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
