"""Connections to what a name means now: resolved once, every address looked at, and exactly one of them called.

Between a look at a name and a connection by that name it may move to a private address. So nothing is ever connected to
by name: the addresses that were looked at are called as they are. TLS and `Host` still go by the name.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import cast

import httpcore2

from notifier.webhooks.addresses import IPAddress, is_public

Resolve = Callable[[str, int], Awaitable[list[IPAddress]]]
Permitted = Callable[[IPAddress], bool]


class PrivateAddressError(Exception):
    """The name means, among others, an address that is not of the public internet. Nothing was sent anywhere."""


class UnknownNameError(Exception):
    """The name means nothing, or nobody could say what."""


# Its own few threads: names that nobody answers for must not keep the process' other work waiting.
_RESOLVERS = ThreadPoolExecutor(4, "webhook-names")


async def resolve(host: str, port: int) -> list[IPAddress]:
    """What the system's resolver says, in its order."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(
        _RESOLVERS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    )
    return list(dict.fromkeys(ip_address(place[0]) for *_, place in found))


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """The network as HTTP sees it, without private places."""

    def __init__(self, *, permitted: Permitted = is_public, resolve: Resolve = resolve) -> None:
        self._permitted = permitted
        self._resolve = resolve
        self._beneath = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """The first of the name's addresses that takes the connection, within `timeout` seconds for all of it."""
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(await self._addresses(host, port), port, local_address, socket_options)
        except TimeoutError:
            raise httpcore2.ConnectTimeout from None

    async def _addresses(self, host: str, port: int) -> list[IPAddress]:
        try:
            found = await self._resolve(host.strip("[]"), port)
        except (OSError, UnicodeError):
            raise UnknownNameError(host) from None
        if not found:
            raise UnknownNameError(host)
        if not all(map(self._permitted, found)):  # one is enough: who answers for the name chooses among them
            raise PrivateAddressError(host)
        return found

    async def _connect(
        self,
        addresses: list[IPAddress],
        port: int,
        local_address: str | None,
        options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.AsyncNetworkStream:
        refused: httpcore2.ConnectError | None = None
        for address in addresses:
            try:
                return await self._beneath.connect_tcp(str(address), port, None, local_address, options)
            except httpcore2.ConnectError as error:
                refused = error
        assert refused is not None
        raise refused

    async def sleep(self, seconds: float) -> None:
        """As the network beneath."""
        await self._beneath.sleep(seconds)
