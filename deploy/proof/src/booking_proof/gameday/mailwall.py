"""TLS before the mailbox, whose certificate can expire and be renewed; and the authority that signed it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trustme import CA

_HOST = "127.0.0.1"
_CHUNK = 65_536


@dataclass(frozen=True)
class MailWall:
    """Listens with TLS on `port` and hands what comes to the mailbox."""

    port: int
    _context: ssl.SSLContext
    _folder: Path

    @property
    def authority(self) -> Path:
        """By what file a client trusts it."""
        return self._folder / "authority.pem"

    def expire(self) -> None:
        """From now on it shows a certificate that ended yesterday."""
        self._context.load_cert_chain(self._folder / "expired.pem")

    def renew(self) -> None:
        """From now on it shows a good one."""
        self._context.load_cert_chain(self._folder / "good.pem")


@asynccontextmanager
async def mail_wall(folder: Path, mailbox: Callable[[], tuple[str, int]]) -> AsyncIterator[MailWall]:
    """One with a good certificate; `mailbox` tells where mail goes on to."""
    await asyncio.to_thread(_certificates, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection(*mailbox())
            await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(pass_on, _HOST, 0, ssl=context)
    wall = MailWall(server.sockets[0].getsockname()[1], context, folder)
    wall.renew()
    try:
        yield wall
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def _certificates(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    authority, now = CA(organization_unit_name="a game day's authority"), datetime.now(UTC)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    for file, ends in (("good", timedelta(days=1)), ("expired", timedelta(days=-1))):
        made = authority.issue_cert(_HOST, not_after=now + ends)
        made.private_key_and_cert_chain_pem.write_to_path(folder / f"{file}.pem")
