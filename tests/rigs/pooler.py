"""A pooler in transaction mode before a real PostgreSQL, stricter than PgBouncer: it has several sessions of the server
and hands each transaction to the one that was longest idle, so that whatever belongs to a session is missed at once.
Settings in the start-up packet are refused, as PgBouncer does by default. Cancel requests are not passed on.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_TAKEN = {"user", "database", "application_name", "client_encoding"}
_PARAMETERS = ("server_version", "client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings")
_ANSWERED = (b"Q", b"S")
"""What a client sends that ReadyForQuery answers: a simple query, Sync."""


@dataclass
class Pooler:
    """Where it listens (`url`), how many transactions it carried, what it refused."""

    target: str
    url: str = ""
    transactions: int = 0
    refused: list[str] = field(default_factory=list[str])
    _idle: deque["_Session"] = field(default_factory=deque["_Session"])
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    _greeting: bytes = b""

    async def add_session(self) -> None:
        """One more session of the server, logged in by libpq; its socket is then used as it is."""
        conn = await psycopg.AsyncConnection.connect(self.target, autocommit=True, sslmode="disable")
        told = ((name, conn.info.parameter_status(name) or "") for name in (*_PARAMETERS, "integer_datetimes"))
        self._greeting = b"".join(_message(b"S", f"{name}\0{value}\0".encode()) for name, value in told)
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=os.dup(conn.fileno())))
        self._idle.append(_Session(conn, reader, writer))
        self._free.release()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it leaves."""
        client = _Client(reader, writer)
        try:
            if await self._greeted(reader, writer):
                while (first := await client.message()) is not None:
                    await self._carry(client, first)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            client.gone()

    async def _greeted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        while True:
            size, code = struct.unpack(">ii", await reader.readexactly(8))
            rest = await reader.readexactly(size - 8)
            if code not in (_SSL, _GSS):
                break
            writer.write(b"N")
        if code == _CANCEL:
            return False
        if unknown := {name.lower() for name in rest.decode().split("\0")[:-1:2] if name} - _TAKEN:
            said = f"unsupported startup parameter: {', '.join(sorted(unknown))}"
            self.refused.append(said)
            writer.write(_message(b"E", f"SFATAL\0VFATAL\0C08P01\0M{said}\0\0".encode()))
            await writer.drain()
            return False
        writer.write(_message(b"R", struct.pack(">i", 0)) + self._greeting + _message(b"K", bytes(8)))
        writer.write(_message(b"Z", b"I"))
        await writer.drain()
        return True

    async def _carry(self, client: "_Client", first: bytes) -> None:
        await self._free.acquire()
        session = self._idle.popleft()
        try:
            await session.carry(client, first)
        except BaseException:
            session.close()  # with whatever is open in it, as PgBouncer does; another takes its place
            adding = asyncio.get_running_loop().create_task(self.add_session())
            _TASKS.add(adding)
            adding.add_done_callback(_TASKS.discard)
            raise
        self.transactions += 1
        self._idle.append(session)
        self._free.release()

    def close(self) -> None:
        """Ends the sessions."""
        while self._idle:
            self._idle.popleft().close()


_TASKS = set[asyncio.Task[None]]()


class _Client:
    """One client, whose next message is read while the server answers the last."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._reader = reader
        self._next: asyncio.Task[bytes] | None = None

    def next(self) -> asyncio.Task[bytes]:
        """Its next message, to come."""
        self._next = self._next or asyncio.create_task(_read(self._reader))
        return self._next

    async def message(self) -> bytes | None:
        """Its next message; None when it says farewell."""
        found = await self.next()
        self._next = None
        return None if found[:1] == b"X" else found

    def gone(self) -> None:
        """Nobody reads it any more."""
        if self._next is not None:
            self._next.cancel()
        self.writer.close()


@dataclass
class _Session:
    """One session of the server."""

    conn: psycopg.AsyncConnection[Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def carry(self, client: _Client, first: bytes) -> None:
        """From a client's first message until the server is outside of a transaction and has answered everything."""
        self.writer.write(first)
        waits, answer = int(first[:1] in _ANSWERED), asyncio.create_task(_read(self.reader))
        try:
            while True:
                await asyncio.wait({answer, client.next()}, return_when=asyncio.FIRST_COMPLETED)
                if answer.done():
                    message = answer.result()
                    client.writer.write(message)
                    if message[:1] == b"Z":
                        waits -= 1
                        await client.writer.drain()
                        if waits == 0 and message[5:] == b"I":
                            return
                    answer = asyncio.create_task(_read(self.reader))
                elif (more := await client.message()) is None:
                    raise ConnectionError("the client left within a transaction")
                else:
                    self.writer.write(more)
                    waits += more[:1] in _ANSWERED
        finally:
            answer.cancel()

    def close(self) -> None:
        """As PostgreSQL sees it, at once."""
        self.writer.close()
        self.conn.pgconn.finish()


@asynccontextmanager
async def pooled(target: str, *, sessions: int = 3) -> AsyncGenerator[Pooler]:
    """A pooler before `target`, with so many sessions of it."""
    pooler = Pooler(target)
    for _ in range(sessions):
        await pooler.add_session()
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    parts = urlsplit(target)
    port = server.sockets[0].getsockname()[1]
    pooler.url = f"postgresql://{parts.username}:anything@127.0.0.1:{port}{parts.path}"
    try:
        yield pooler
    finally:
        server.close()
        for task in list(_TASKS):
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await task
        pooler.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack(">i", head[1:])[0] - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body
