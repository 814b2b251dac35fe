"""What stands before a PostgreSQL without TLS: what it says before encryption, and that it carries every byte."""

import asyncio
import socket
import ssl
import struct
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.rigs.waiting import until

from booking_local.servers.certificates import Certificates
from booking_local.servers.terminator import SSL_REQUEST, Terminator, context_of

GSS_REQUEST = struct.pack(">ii", 8, 80877104)
CANCEL_REQUEST = struct.pack(">iiii", 16, 80877102, 1, 2)
STARTUP = b"user\0checkout_app\0database\0checkout\0\0"
PLAIN_STARTUP = struct.pack(">ii", len(STARTUP) + 8, 196608) + STARTUP


TURNS = 1_000
"""Of the event loop, without anything moving: then nothing will."""


class Behind:
    """The server behind: it writes down what it is sent, and says `words` to whoever says farewell."""

    def __init__(self, words=b""):
        self.words, self.heard, self.lost, self.said = words, [], 0, 0

    async def serve(self, reader, writer):
        heard = bytearray()
        self.heard.append(heard)
        try:
            while data := await reader.read(65536):
                heard += data
                if data.endswith(b"speak"):
                    for at in range(0, len(self.words), 65536):
                        writer.write(self.words[at : at + 65536])
                        await writer.drain()
                        self.said = at + 65536
                    break
        finally:
            self.lost += 1
            writer.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.make("postgres")
    return made


@asynccontextmanager
async def before(behind, certificates, **options):
    """Its port."""
    with tempfile.TemporaryDirectory(prefix="tls-") as folder:
        path = str(Path(folder) / "socket")
        server = None if behind is None else await asyncio.start_unix_server(behind.serve, path)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            terminator = Terminator(path, context_of(certificates.both("postgres")), **options)
            taking = asyncio.create_task(terminator.take(listening))
            yield listening.getsockname()[1]
            taking.cancel()
        if behind is not None and server is not None:
            await until(lambda: behind.lost == len(behind.heard), "the server's ends of all connections")
            server.close()


def trusting(certificates):
    return ssl.create_default_context(cafile=certificates.ca)


async def encrypted(port, certificates, *, asked=SSL_REQUEST):
    """A connection as libpq makes one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked)
    assert await reader.readexactly(len(asked) // 8) == b"N" * (len(asked) // 8 - 1) + b"S"
    await writer.start_tls(trusting(certificates), server_hostname="127.0.0.1")
    return reader, writer


async def answer(port, *packets):
    """All that it says to what is sent in plain text, until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for packet in packets:
        writer.write(packet)
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


async def test_encrypted_connection__carries_both_ways_and_the_farewell_comes_last(certificates):
    behind = Behind(b"last words")
    async with before(behind, certificates) as port:
        for asked in (SSL_REQUEST, GSS_REQUEST + SSL_REQUEST):
            reader, writer = await encrypted(port, certificates, asked=asked)
            writer.write(b"first, then speak")
            assert await reader.read() == b"last words"
            writer.close()
            _, leaving = await encrypted(port, certificates)
            leaving.write(b"x" * 300_000 + b"farewell")
            leaving.close()
            await until(lambda: behind.heard[-1].endswith(b"farewell"), "what was said before the farewell")
    assert behind.heard[0] == b"first, then speak"


async def test_many_megabytes__wait_for_whoever_reads_them_slowly(certificates):
    """The server is held back instead of filling memory here, and what it said before it closed is all there."""
    behind = Behind(bytes(range(256)) * 4 * 65536)
    async with before(behind, certificates) as port:
        reader, writer = await encrypted(port, certificates)
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        writer.write(b"speak")
        said, still = 0, 0
        while not said or still < TURNS:  # everybody is in this loop: who moves moves within its turns
            still = still + 1 if said == behind.said else 0
            said = behind.said
            await asyncio.sleep(0)
        assert 0 < said < len(behind.words) / 2
        transport.resume_reading()
        assert await reader.read() == behind.words
        writer.close()


@pytest.mark.parametrize("before_it", [(), (GSS_REQUEST,)])
async def test_plain_text__is_refused_in_the_protocols_own_words(certificates, before_it):
    async with before(Behind(), certificates) as port:
        told = (await answer(port, *before_it, PLAIN_STARTUP)).removeprefix(b"N")
    fields = {word[:1]: word[1:] for word in told[5:].split(b"\0") if word}
    assert (told[:1], struct.unpack(">i", told[1:5])) == (b"E", (len(told) - 1,))
    assert (fields[b"S"], fields[b"C"]) == (b"FATAL", b"28000")
    assert fields[b"M"] == (
        b'no pg_hba.conf entry for host "127.0.0.1", user "checkout_app", database "checkout", no encryption'
    )


@pytest.mark.parametrize(
    ("packets", "said"),
    [
        ((CANCEL_REQUEST,), b""),
        ((struct.pack(">ii", 100_000, 196608), b"x" * 1000), b""),
        ((struct.pack(">ii", 3, 196608),), b""),
        ((b"GET / HTTP/1.1\r\n\r\n",), b""),
        ((SSL_REQUEST + b"slipped in",), b"S"),
        ((SSL_REQUEST, PLAIN_STARTUP), b"S"),
    ],
)
async def test_what_is_no_encryption__reaches_no_server(certificates, packets, said):
    """A cancel request in plain text, nonsense, and what somebody slips in before the encryption begins."""
    behind = Behind()
    async with before(behind, certificates, handshake_seconds=5) as port:
        try:
            told = await answer(port, *packets)
        except ConnectionResetError:
            told = said
        assert told[:1] in (said, b"\x15"), "an alert of TLS at most"
    assert behind.heard == []


@pytest.mark.parametrize("sent", [b"", SSL_REQUEST[:5], SSL_REQUEST])
async def test_who_begins_and_says_no_more__is_let_go(certificates, sent):
    behind = Behind()
    async with before(behind, certificates, handshake_seconds=0.3) as port:
        assert await answer(port, sent) == (b"S" if sent == SSL_REQUEST else b"")
    assert behind.heard == []


@pytest.mark.parametrize(("protocols", "let_in"), [(["postgresql"], True), (["http/1.1"], False), ([], False)])
async def test_tls_at_once__is_for_who_means_postgresql(certificates, protocols, let_in):
    """As PostgreSQL asks it: somebody's request to another protocol's server must not be led here."""
    behind, context = Behind(b"here"), trusting(certificates)
    if protocols:
        context.set_alpn_protocols(protocols)
    async with before(behind, certificates) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(b"speak")
        assert await reader.read() == (b"here" if let_in else b"")
        writer.close()
    assert len(behind.heard) == let_in


async def test_server_that_is_away__is_told_to_who_has_begun(certificates):
    async with before(None, certificates) as port:
        reader, writer = await encrypted(port, certificates)
        writer.write(PLAIN_STARTUP)
        told = await reader.read()
        writer.close()
    assert b"\0C57P03\0Mthe PostgreSQL behind this address does not answer\0" in told
