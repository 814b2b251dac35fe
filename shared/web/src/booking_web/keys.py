"""The issuer's public keys (T4): fetched in the background, kept for a while when the issuer is away.

They are fetched every `ttl` seconds whether or not anybody asks, so a key that the issuer withdrew is refused soon. A
set older than `max_age`, because the issuer has not answered since, is trusted no more: whoever keeps us from the
issuer must not keep a withdrawn key alive.

A known key id is answered at once. An unknown one waits for the one next fetch, which is at most one in
`min_interval` seconds however many ask; so a rotation costs no false 401 and a flood of made-up ids costs the issuer
one request per interval.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import httpx2
import jwt
import structlog

from booking_process.observed import asking
from booking_web.problems import unavailable

_LARGEST_SET = 262_144
_MOST_KEYS = 100
_UNKNOWN_KEPT = 1024
_UNKNOWN_SECONDS = 30.0
_MOST_WAITING = 256
_NEVER = float("-inf")
_SOONER = 10.0
"""Seconds to the next try after one that failed."""
_PUBLIC_KINDS = frozenset({"RSA", "EC", "OKP"})
_ACCEPT = {"Accept": "application/jwk-set+json, application/json"}

log = structlog.get_logger(__name__)


class KeySet:
    """The keys at `url`, by key id."""

    def __init__(
        self,
        url: str,
        *,
        algorithms: tuple[str, ...],
        ttl: float = 300.0,
        max_age: float = 3600.0,
        min_interval: float = 2.0,
        timeout: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._algorithms = frozenset(algorithms)
        self._ttl = ttl
        self._max_age = max_age
        self._clock = clock
        self._min_interval = min_interval
        self._timeout = timeout
        self._keys: dict[str, jwt.PyJWK] | None = None
        self._text = b""
        self._fetched_at = _NEVER
        self._tried_at = _NEVER
        self._fetching: asyncio.Task[None] | None = None
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._waiting = 0
        self.generation = 0
        """Grows whenever the keys change: what was verified before may have been signed by a key that is gone."""

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """The key of that id, or None when the issuer has none; Problem 503 when the issuer has not answered within
        `max_age`, or never yet."""
        if self.trusted():
            if (key := self._known().get(kid)) is not None:
                return key
            if self._is_known_as_unknown(kid):
                return None
        await self._fetched_after_now(kid)
        if not self.trusted():
            raise unavailable("identity_unavailable", "The token cannot be checked right now. Try again.")
        key = self._known().get(kid)
        if key is None:
            self._remember_as_unknown(kid)
        return key

    def trusted(self) -> bool:
        """Whether the set may be used: it is at most `max_age` old. Starts a fetch when it is no longer fresh."""
        age = self._clock() - self._fetched_at
        if age > self._ttl:
            self.refresh()
        return age <= self._max_age

    async def keep_fresh(self) -> None:
        """Fetches the set now and again every `ttl` seconds, sooner after a failure, until cancelled."""
        while True:
            await asyncio.shield(self.refresh())
            failed = self._fetched_at < self._tried_at
            await asyncio.sleep(min(self._ttl, _SOONER) if failed else self._ttl)

    def refresh(self) -> asyncio.Task[None]:
        """Starts a fetch unless one is under way; it waits out the interval since the last one."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.get_running_loop().create_task(self._fetch(), name="jwks")
        return self._fetching

    async def close(self) -> None:
        """Ends a fetch under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            with suppress(asyncio.CancelledError):
                await self._fetching

    async def _fetched_after_now(self, kid: str) -> None:
        # Holding requests is cheap, but not for nothing: a flood beyond this many is answered from what is known.
        if self._waiting >= _MOST_WAITING:
            return
        self._waiting += 1
        asked_at = self._clock()
        try:
            await asyncio.shield(self.refresh())
            if self._tried_at < asked_at and kid not in self._known():
                # That fetch had begun before the token came; the issuer may have rotated since.
                await asyncio.shield(self.refresh())
        finally:
            self._waiting -= 1

    async def _fetch(self) -> None:
        await asyncio.sleep(max(0.0, self._tried_at + self._min_interval - self._clock()))
        self._tried_at = self._clock()
        try:
            with asking("identity", Exception):
                self.take(await self._download())
        except Exception as error:  # noqa: BLE001 - whatever the issuer answers, the last good set stays
            log.warning("jwks_unavailable", error=type(error).__name__, kept=len(self._known()))

    def take(self, text: bytes) -> None:
        """Makes the keys of this JWK set ours, as a fetch does; ValueError when it holds none we can use."""
        keys = _usable_keys(text, self._algorithms)
        self._fetched_at = self._clock()
        if text != self._text:
            self.generation += 1
            self._unknown.clear()
        self._keys, self._text = keys, text

    async def _download(self) -> bytes:
        async with (
            asyncio.timeout(self._timeout),
            httpx2.AsyncClient(follow_redirects=False, timeout=self._timeout, trust_env=False) as client,
            client.stream("GET", self._url, headers=_ACCEPT) as response,
        ):
            if response.status_code != 200:
                raise ConnectionError(f"status {response.status_code}")
            text = bytearray()
            async for chunk in response.aiter_bytes():
                text += chunk
                if len(text) > _LARGEST_SET:
                    raise ValueError("the key set is too large")
        return bytes(text)

    def _known(self) -> dict[str, jwt.PyJWK]:
        return self._keys or {}

    def _is_known_as_unknown(self, kid: str) -> bool:
        until = self._unknown.get(kid)
        return until is not None and until > self._clock()

    def _remember_as_unknown(self, kid: str) -> None:
        while len(self._unknown) >= _UNKNOWN_KEPT:
            self._unknown.popitem(last=False)
        self._unknown[kid] = self._clock() + _UNKNOWN_SECONDS


def _usable_keys(text: bytes, algorithms: frozenset[str]) -> dict[str, jwt.PyJWK]:
    """The signature keys of a JWK set that our algorithms can use; ValueError when there is none.

    Symmetric keys are never usable: whoever reads the set could sign (CVE-2026-48526).
    """
    found: dict[str, jwt.PyJWK] = {}
    entries = cast("list[dict[str, Any]]", json.loads(text)["keys"])
    for entry in entries[:_MOST_KEYS]:
        key = _usable(entry)
        if key is not None and key.key_id and key.algorithm_name in algorithms:
            found[key.key_id] = key
    if not found:
        raise ValueError("no usable key in the set")
    return found


def _usable(entry: dict[str, Any]) -> jwt.PyJWK | None:
    try:
        if entry["kty"] in _PUBLIC_KINDS and entry.get("use", "sig") == "sig":
            return jwt.PyJWK(entry)
    except (jwt.PyJWTError, AttributeError, KeyError, ValueError, TypeError):
        pass  # an issuer may publish keys for others beside ours
    return None
