"""One try at a receiver that fails, hangs, lies, redirects or moves: its one outcome, on real sockets (T28, T34)."""

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address

import pytest
from services.notifier.tests.providers import Authority
from services.notifier.tests.receivers import OK, Misdeed, Receiver, answer, receiving

from notifier.webhooks.addresses import is_public
from notifier.webhooks.pinned import PinnedBackend
from notifier.webhooks.post import MOST_READ, Delivered, Failed, Poster

HEADERS = {"content-type": "application/json", "webhook-id": "an-id"}
ANYWHERE = PinnedBackend(permitted=lambda _: True)


async def post(url, *, backend=ANYWHERE, deadline=10.0, connect=5.0, tls=None):
    poster = Poster(backend, deadline=deadline, connect=connect, tls=tls)
    try:
        return await poster.post(url, HEADERS, '{"a":1}')
    finally:
        await poster.close()


class Names:
    """A resolver whose answers are told beforehand, one after the other; the last one stays."""

    def __init__(self, *answers):
        self.answers = [[ip_address(one) for one in told] for told in answers]
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (OK, Delivered(204)),
        (answer(200, body=b"thanks"), Delivered(200)),
        (answer(202), Delivered(202)),
        (answer(500, body=b"<html>"), Failed("http_500", 500)),
        (answer(404), Failed("http_404", 404)),
        (answer(400), Failed("http_400", 400)),
        (answer(410), Failed("http_410", 410, gone=True)),
        (answer(503, "Retry-After: 120"), Failed("http_503", 503, 120.0)),
        (answer(429, "Retry-After: 999999999"), Failed("http_429", 429, 3600.0)),
        (answer(429, "Retry-After: soon"), Failed("http_429", 429)),
        (answer(500, "Retry-After: 120"), Failed("http_500", 500)),
    ],
)
async def test_answer__is_one_outcome(said, outcome):
    async with receiving(Receiver([said])) as receiver:
        assert await post(receiver.url) == outcome
    (got,) = receiver.got
    assert (got.body, got.headers["webhook-id"], got.path) == (b'{"a":1}', "an-id", "/hooks")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_retry_after_as_a_date__is_seconds_from_now():
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    async with receiving(Receiver([answer(503, f"Retry-After: {at}")])) as receiver:
        outcome = await post(receiver.url)
    assert isinstance(outcome, Failed)
    assert 290 < (outcome.retry_after or 0) <= 300


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect__is_not_followed(status):
    async with (
        receiving() as elsewhere,
        receiving(Receiver([answer(status, f"Location: {elsewhere.url}")])) as receiver,
    ):
        assert await post(receiver.url) == Failed(f"http_{status}", status)
    assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "misdeed",
    [
        Misdeed(hangs=True),
        Misdeed(b"HTTP/1.1 200 X\r\n", hangs=True),
        Misdeed(b"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n12", hangs=True),
        Misdeed(b"HTTP/1.1 200 X\r\nContent-Length: 9999\r\n\r\n" + b"x" * 9999, drips=True),
        Misdeed(b"HTTP/1.1 100 Continue\r\n\r\n" * 9999, drips=True),
    ],
    ids=["silence", "half a head", "half a body", "byte by byte", "not yet, for ever"],
)
async def test_receiver_that_hangs__is_left_at_the_deadline(misdeed):
    """A connection has a third of the deadline: where a busy machine makes none in that, another one is tried."""
    async with receiving(Receiver([misdeed] * 20)) as receiver:
        took = 0.0
        while not receiver.got:
            began = time.monotonic()
            assert await post(receiver.url, deadline=0.4) == Failed("timeout")
            took = time.monotonic() - began
        assert 0.3 < took < 15  # the receiver would hang for ever


async def test_name_that_nobody_answers_for__is_left_at_the_deadline_of_a_connection():
    async def never(_host, _port):
        await asyncio.Event().wait()
        return []

    began = time.monotonic()
    outcome = await post("http://receiver.test/", backend=PinnedBackend(resolve=never), connect=0.3, deadline=30)
    assert outcome == Failed("timeout")
    assert time.monotonic() - began < 20  # the deadline of the whole is 30


@pytest.mark.parametrize(
    "misdeed",
    [
        Misdeed(),
        Misdeed(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nabc"),
        Misdeed(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        Misdeed(b"HTTP/1.1 200"),
        Misdeed(b"SSH-2.0-OpenSSH\r\n\r\n"),
        Misdeed(b"HTTP/1.1 200 X\r\nX: ", endless=True),
    ],
    ids=["nothing", "short body", "short chunk", "short head", "no HTTP", "a head without end"],
)
async def test_answer_that_does_not_come_whole__is_no_answer(misdeed):
    async with receiving(Receiver([misdeed])) as receiver:
        assert await post(receiver.url) == Failed("cut")
    assert receiver.written < 200 * MOST_READ


@pytest.mark.parametrize(("status", "outcome"), [(200, Delivered(200)), (500, Failed("http_500", 500))])
async def test_giant_answer__is_read_no_further_than_needed(status, outcome):
    """Its status has been told: who took the delivery and talks too much has taken it."""
    giant = Misdeed(f"HTTP/1.1 {status} X\r\nContent-Length: 999999999999\r\n\r\n".encode(), endless=True)
    async with receiving(Receiver([giant])) as receiver:
        assert await post(receiver.url) == outcome
    assert receiver.written < 200 * MOST_READ, "what the sockets' buffers held when we hung up"


async def test_nobody_listens__unreachable():
    async with receiving() as receiver:
        pass
    assert await post(receiver.url) == Failed("unreachable")


async def test_name_that_means_nothing():
    assert await post("http://receiver.invalid/") == Failed("unknown_host")


# Private addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433"])
async def test_private_address__is_never_connected_to(host):
    """The system's own resolver, which also reads a bare number as an address."""
    async with receiving() as receiver:
        outcome = await post(f"http://{host}:{receiver.port}/", backend=PinnedBackend())
    assert outcome in (Failed("private_address"), Failed("unknown_host"))
    assert outcome == Failed("private_address") or host == "2130706433"
    assert receiver.connections == 0


async def test_name_of_which_one_address_is_private__is_refused_whole():
    names = Names(["93.184.216.34", "127.0.0.1"])
    async with receiving() as receiver:
        url = f"http://receiver.test:{receiver.port}/"
        assert await post(url, backend=PinnedBackend(resolve=names)) == Failed("private_address")
    assert receiver.connections == 0


def _as_public(address):
    """127.0.0.1 stands for a public address."""
    return is_public(address) or address == ip_address("127.0.0.1")


async def test_name_that_moves_to_a_private_address__is_called_no_more():
    """DNS rebinding, between two tries."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with receiving() as public, receiving(Receiver(port=public.port), host="127.0.0.2") as private:
        backend, url = PinnedBackend(permitted=_as_public, resolve=names), f"http://receiver.test:{public.port}/"
        assert await post(url, backend=backend) == Delivered(204)
        assert await post(url, backend=backend) == Failed("private_address")
    assert (public.connections, private.connections) == (1, 0)


async def test_name_that_moves_after_the_look__what_was_looked_at_is_called():
    """DNS rebinding, within one try: a second look would find the private address, so there is none."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with receiving() as public, receiving(Receiver(port=public.port), host="127.0.0.2") as private:
        backend = PinnedBackend(permitted=_as_public, resolve=names)
        assert await post(f"http://receiver.test:{public.port}/", backend=backend) == Delivered(204)
    assert (public.connections, private.connections) == (1, 0)
    assert names.asked == ["receiver.test"]
    assert public.got[0].headers["host"] == f"receiver.test:{public.port}"


async def test_name_with_several_addresses__the_next_is_tried():
    names = Names(["127.0.0.3", "127.0.0.1"])
    async with receiving() as receiver:
        backend = PinnedBackend(permitted=lambda _: True, resolve=names)
        assert await post(f"http://receiver.test:{receiver.port}/", backend=backend) == Delivered(204)


# TLS ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "days", "outcome"),
    [
        ("receiver.test", 1, Delivered(204)),
        ("other.test", 1, Failed("tls")),
        ("127.0.0.1", 1, Failed("tls")),
        ("receiver.test", -1, Failed("tls")),
    ],
    ids=["its own", "another name", "the address alone", "expired"],
)
async def test_certificate__must_be_the_names(tmp_path, name, days, outcome):
    ours = Authority(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(ours.chain(name, days=days))
    trusted = ssl.create_default_context(cafile=ours.file)
    backend = PinnedBackend(permitted=lambda _: True, resolve=Names(["127.0.0.1"]))
    async with receiving(tls=served) as receiver:
        assert await post(f"https://receiver.test:{receiver.port}/", backend=backend, tls=trusted) == outcome
    assert receiver.names == ["receiver.test"]
    assert len(receiver.got) == (outcome == Delivered(204))


async def test_authority_that_the_machine_does_not_trust__is_refused(tmp_path):
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(Authority(tmp_path).chain("receiver.test"))
    backend = PinnedBackend(permitted=lambda _: True, resolve=Names(["127.0.0.1"]))
    async with receiving(tls=served) as receiver:
        assert await post(f"https://receiver.test:{receiver.port}/", backend=backend) == Failed("tls")


async def test_receiver_that_speaks_no_tls__is_refused():
    backend = PinnedBackend(permitted=lambda _: True)
    async with receiving(Receiver([answer(200)])) as receiver:
        outcome = await post(f"https://127.0.0.1:{receiver.port}/", backend=backend, deadline=2.0)
    assert outcome in (Failed("tls"), Failed("timeout"), Failed("unreachable"))
    assert receiver.got == []
