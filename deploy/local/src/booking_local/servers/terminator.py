"""TLS before a PostgreSQL that has none, as a load balancer or a PgBouncer stands before one.

    python -m booking_local.servers.terminator PORT SOCKET CERTIFICATE

It listens on 127.0.0.1:PORT and leads each connection, once it is encrypted, to the server's Unix SOCKET, a path from
the working folder (a long one is no socket's). CERTIFICATE is key and certificate, PEM.

It answers as PostgreSQL does with `ssl=on` and no `host` line in pg_hba.conf: SSLRequest or TLS at once
(`sslnegotiation=direct`), no GSSAPI; who wants to log in without encryption is told so and let go. One thing is
stricter: a cancel request counts by TLS alone, for in plain text its key could be read and used again.

It knows of the protocol what comes before encryption, and the one error that it tells; all else are bytes that it
carries both ways. Each connection is a connection of the server, so a restarted server is found again.
"""

import asyncio
import contextlib
import resource
import signal
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

HOST = "127.0.0.1"
SSL_REQUEST = struct.pack(">ii", 8, 80877103)
_GSS_REQUEST = struct.pack(">ii", 8, 80877104)
_CANCEL, _TLS_RECORD = 80877102, b"\x16"
_PROTOCOL = "postgresql"
"""By which TLS names it (ALPN)."""
_LONGEST_STARTUP = 10_000
"""Bytes of a start-up packet, as PostgreSQL bounds it."""
_HANDSHAKE_SECONDS = 60.0
"""For a connection to be encrypted, as long as PostgreSQL gives one to log in (`authentication_timeout`)."""
_FAREWELL_SECONDS = 30.0
"""For what is still to be sent to a side whose other side is gone."""
_PAUSE_SECONDS = 0.1
"""Before it takes connections again when there is no descriptor left for one."""


class Side(asyncio.Protocol):
    """One side of a connection. What it receives goes to `give`; no more is read than the other side takes."""

    transport: asyncio.Transport
    give: Callable[[bytes], None]
    other: "Side | None" = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.pause_reading()  # until there is somebody to give it to

    def data_received(self, data: bytes) -> None:
        self.give(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def eof_received(self) -> None:
        """A client's farewell reaches the server behind all that it sent. The transport then closes: TLS has no half
        of a connection, and a PostgreSQL that closes has said everything."""
        if self.other is not None and self.other.transport.can_write_eof():
            self.other.transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.other is not None:
            self.other.end()

    def end(self) -> None:
        """Closes once everything is sent, or the time for that is over."""
        self.transport.close()
        asyncio.get_running_loop().call_later(_FAREWELL_SECONDS, self.transport.abort)


class Terminator:
    """All connections of one address. `server` is a socket's path, which may be relative to the working folder."""

    def __init__(self, server: str, context: ssl.SSLContext, *, handshake_seconds: float = _HANDSHAKE_SECONDS) -> None:
        self._server = server
        self._context = context
        self._handshake_seconds = handshake_seconds
        self._opening = set[asyncio.Task[None]]()

    async def take(self, listening: socket.socket) -> None:
        """Takes connections for as long as it is let."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listening)
            except OSError as refused:
                say(f"no connection can be taken: {refused}")
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            opening = loop.create_task(self._open(client))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _open(self, client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            async with asyncio.timeout(self._handshake_seconds):
                begins = await _begins(client)
                front = await self._encrypted(client) if begins else None
        except (OSError, EOFError) as refused:
            if not isinstance(refused, (EOFError, ConnectionError)):  # a client may leave
                say(f"a connection was not encrypted: {type(refused).__name__} {refused}")
            begins = front = None
        if front is None:
            client.close()
        elif begins == "at once" and front.transport.get_extra_info("ssl_object").selected_alpn_protocol() is None:
            say(f"a connection that began with TLS did not ask for the protocol {_PROTOCOL}")
            front.end()
        else:
            await self._join(front)

    async def _encrypted(self, client: socket.socket) -> Side:
        loop = asyncio.get_running_loop()
        _, front = await loop.connect_accepted_socket(Side, client, ssl=self._context)
        return front

    async def _join(self, front: Side) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, back = await loop.create_unix_connection(Side, self._server)
        except OSError as refused:
            say(f"PostgreSQL is not reached: {refused}")
            # Told once the client has said who it is: it may be sending that still, and would not listen.
            front.give = lambda _startup: _tell(front, "57P03", "the PostgreSQL behind this address does not answer")
            loop.call_later(self._handshake_seconds, front.transport.abort)
            front.transport.resume_reading()
            return
        front.other, back.other = back, front
        front.give, back.give = back.transport.write, front.transport.write
        if front.transport.is_closing():  # it left meanwhile, and told nobody
            back.end()
        front.transport.resume_reading()
        back.transport.resume_reading()


async def _begins(client: socket.socket) -> Literal["at once", "as agreed"] | None:
    """How a client begins with TLS; what it says before that is answered. None: it has its answer and may go.

    Nothing is read beyond that: what somebody slipped in behind an SSLRequest is no TLS, and ends the handshake.
    """
    loop = asyncio.get_running_loop()
    while await _first_byte(client) != _TLS_RECORD:
        head = await _exactly(client, 8)
        if head == SSL_REQUEST:
            await loop.sock_sendall(client, b"S")
            return "as agreed"
        if head != _GSS_REQUEST:
            size, code = struct.unpack(">ii", head)
            if code != _CANCEL and 8 < size <= _LONGEST_STARTUP:
                await loop.sock_sendall(client, _refusal(await _exactly(client, size - 8)))
                await _until_gone(client)
            return None
        await loop.sock_sendall(client, b"N")
    return "at once"


def _refusal(startup: bytes) -> bytes:
    """What PostgreSQL says to whom no line of pg_hba.conf is for; `startup` is the packet behind its version."""
    words = startup.decode("utf-8", "replace").split("\0")
    said = dict(zip(words[::2], words[1::2], strict=False))
    user = said.get("user", "")
    return error(
        "28000",
        f'no pg_hba.conf entry for host "{HOST}", user "{user}", database "{said.get("database") or user}", '
        "no encryption",
        "This PostgreSQL is reached by TLS alone: sslmode=verify-full, and sslrootcert with the stack's CA.",
    )


def error(code: str, message: str, hint: str = "") -> bytes:
    """An ErrorResponse that ends a connection."""
    fields = {"S": "FATAL", "V": "FATAL", "C": code, "M": message} | ({"H": hint} if hint else {})
    body = b"".join(f"{name}{value}".encode() + b"\0" for name, value in fields.items()) + b"\0"
    return b"E" + struct.pack(">i", len(body) + 4) + body


def _tell(front: Side, code: str, message: str) -> None:
    front.transport.write(error(code, message))
    front.end()


async def _first_byte(client: socket.socket) -> bytes:
    """Without taking it: TLS that begins at once begins with it."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(client, lambda: readable.done() or readable.set_result(None))
    try:
        await readable
    finally:
        loop.remove_reader(client)
    return client.recv(1, socket.MSG_PEEK) or _nothing_more()


async def _exactly(client: socket.socket, size: int) -> bytes:
    loop, read = asyncio.get_running_loop(), b""
    while len(read) < size:
        read += await loop.sock_recv(client, size - len(read)) or _nothing_more()
    return read


def _nothing_more() -> bytes:
    raise EOFError("the client left")


async def _until_gone(client: socket.socket) -> None:
    """Until it hung up: a socket that is closed with something unread takes what was sent with it."""
    client.shutdown(socket.SHUT_WR)
    while await asyncio.get_running_loop().sock_recv(client, 4096):
        pass


def context_of(certificate: Path) -> ssl.SSLContext:
    """As PostgreSQL's own: TLS 1.2 and newer, the protocol by its name, no tickets, for libpq takes none up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    context.set_alpn_protocols([_PROTOCOL])
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def say(sentence: str) -> None:
    """One line of the log, which may be on a full disk."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


async def serve(port: int, server: str, context: ssl.SSLContext) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with socket.create_server((HOST, port), backlog=512) as listening:
        listening.setblocking(False)
        taking = loop.create_task(Terminator(server, context).take(listening))
        await stop.wait()
        taking.cancel()


def main() -> None:
    """Serves; the command line is told above."""
    port, server, certificate = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection takes two
    asyncio.run(serve(port, server, context_of(certificate)))


if __name__ == "__main__":
    main()
