"""TLS before the mailbox, whose certificate can expire and be renewed; and the authority that signed it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
    authority, name = ec.generate_private_key(ec.SECP256R1()), _name("a game day's authority")
    own = _signed(name, authority, authority, timedelta(days=1), x509.BasicConstraints(ca=True, path_length=0))
    (folder / "authority.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(_HOST))])
    for file, ends in (("good", timedelta(days=1)), ("expired", timedelta(days=-1))):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _signed(_name(_HOST), key, authority, ends, names)
        (folder / f"{file}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + made.public_bytes(serialization.Encoding.PEM)
        )


def _signed(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    ends: timedelta,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_name("a game day's authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + ends)
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(authority, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
