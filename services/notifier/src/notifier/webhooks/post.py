"""One try: a POST to a receiver that may be slow, broken or hostile, and the one word for what came of it.

    Outcome
    ├── Delivered   a 2xx that came whole, or as much of it as we read
    └── Failed      anything else; `gone` for a receiver that wants no more (410)

No redirect is followed, no proxy asked, no connection kept, nothing of an answer is kept but its status: what a
receiver writes may hold anything.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore2

from notifier.webhooks.pinned import PinnedBackend, PrivateAddressError, UnknownNameError

MOST_READ = 64 * 1024
"""Bytes of an answer that are read before we hang up: its status has been told by then."""
_LONGEST_WISH = 3600.0
_GONE = 410


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""

    status_code: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The receiver has not taken it, or its word for that did not arrive. `retry_after`: seconds that it asked for."""

    reason: str
    status_code: int | None = None
    retry_after: float | None = None
    gone: bool = False


Outcome = Delivered | Failed


class Poster:
    """Sends to any number of receivers at once; `deadline` seconds for a whole try, `connect` for its connection."""

    def __init__(
        self, backend: PinnedBackend, *, deadline: float, connect: float = 5.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.deadline = deadline
        # A third: httpcore2 closes a socket whose connection or handshake is late by its own clock, not by ours.
        connect = min(connect, deadline / 3)
        self._timeouts = {"connect": connect, "read": deadline, "write": deadline, "pool": deadline}
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or httpcore2.default_ssl_context(),
            network_backend=backend,
            max_connections=None,
            max_keepalive_connections=0,
        )

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Outcome:
        """Send once. Never raises for what a name, the network or a receiver does."""
        try:
            async with asyncio.timeout(self.deadline):
                return await self._post(url, headers, body)
        except (TimeoutError, httpcore2.TimeoutException):
            return Failed("timeout")
        except PrivateAddressError:
            return Failed("private_address")
        except UnknownNameError:
            return Failed("unknown_host")
        except httpcore2.ConnectError as error:
            return Failed("tls" if _is_tls(error) else "unreachable")
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            return Failed("cut")

    async def close(self) -> None:
        """Give up what is open."""
        await self._pool.aclose()

    async def _post(self, url: str, headers: Mapping[str, str], body: str) -> Outcome:
        sent = {**headers, "user-agent": "booking-webhooks/1", "accept-encoding": "identity", "connection": "close"}
        async with self._pool.stream(
            "POST", url, headers=list(sent.items()), content=body.encode(), extensions={"timeout": self._timeouts}
        ) as answer:
            await _read(answer)
        status = answer.status
        if 200 <= status < 300:
            return Delivered(status)
        wishes = [value for name, value in answer.headers if name.lower() == b"retry-after" and status in (429, 503)]
        return Failed(f"http_{status}", status, _seconds(wishes[0]) if wishes else None, gone=status == _GONE)


async def _read(answer: httpcore2.Response) -> None:
    read = 0
    async for part in answer.aiter_stream():
        read += len(part)
        if read > MOST_READ:
            return


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _seconds(value: bytes) -> float | None:
    """Either form of RFC 9110 §10.2.3; at most an hour, since a receiver's typo must not silence us."""
    try:
        text = value.decode("ascii").strip()
        seconds = float(text) if text.isdigit() else _until(text)
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WISH)


def _until(text: str) -> float:
    moment = parsedate_to_datetime(text)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
