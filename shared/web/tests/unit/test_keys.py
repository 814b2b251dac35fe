"""The issuer's key set (reliability.md T4), against a small issuer of our own on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import uuid4

import pytest

from booking_web.auth import TokenVerifier
from booking_web.keys import KeySet
from booking_web.problems import Problem
from booking_web.testing import Issuer

ALGORITHMS = ("ES256",)


@dataclass
class Identity:
    """Serves one answer at any path, and counts who asks."""

    answer: bytes = b""
    requests: int = 0
    port: int = 0
    silent: bool = False
    paths: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks.json"

    def publishes(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
        self.answer = head.encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            self.paths.append(request.split(b" ")[1].decode())
            if self.silent:
                await reader.read()
            writer.write(self.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def identity() -> AsyncIterator[Identity]:
    made = Identity()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def _verifier(keys: KeySet) -> TokenVerifier:
    return TokenVerifier(keys, issuer="https://i", audience="booking", algorithms=ALGORITHMS)


def _issuer(kid: str) -> Issuer:
    return Issuer(issuer="https://i", kid=kid)


async def test_rotation_under_load__no_token_is_refused():
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, min_interval=0.05)
        verifier = _verifier(keys)
        issuers = [_issuer(f"k{number}") for number in range(6)]
        idp.publishes(issuers[0].jwks())
        for old, new in pairwise(issuers):
            both = json.loads(old.jwks())["keys"] + json.loads(new.jwks())["keys"]
            idp.publishes(json.dumps({"keys": both}).encode())
            tokens = [issuer.token("member") for issuer in (old, new) for _ in range(40)]
            principals = await asyncio.gather(*(verifier.verify(token) for token in tokens))
            assert len(principals) == 80
        assert idp.requests <= 12
        await keys.close()


async def test_rotation_while_a_fetch_is_under_way__waits_for_the_next():
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, min_interval=0.0)
        old, new = _issuer("old"), _issuer("new")
        idp.publishes(old.jwks())
        first = keys.refresh()
        while not idp.requests:  # noqa: ASYNC110
            await asyncio.sleep(0)
        idp.publishes(new.jwks())
        assert await _verifier(keys).verify(new.token("member"))
        assert first.done()
        await keys.close()


async def test_a_thousand_made_up_key_ids__cost_the_issuer_a_few_requests():
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, min_interval=0.2)
        verifier, issuer = _verifier(keys), _issuer("k")
        idp.publishes(issuer.jwks())
        token = issuer.token("member")
        assert await verifier.verify(token)
        forged = [issuer.sign(issuer.claims("member"), kid=str(uuid4())) for _ in range(1000)]
        answers = await asyncio.gather(*(verifier.verify(one) for one in forged), return_exceptions=True)
        assert {answer.status for answer in answers if isinstance(answer, Problem)} == {401}
        assert len(answers) == 1000
        assert idp.requests <= 5
        assert await verifier.verify(token)
        await keys.close()


async def test_issuer_away__known_keys_go_on_and_unknown_ones_are_401():
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, ttl=0.001, min_interval=0.0, timeout=10.0)
        verifier, issuer = _verifier(keys), _issuer("k")
        idp.publishes(issuer.jwks())
        assert await verifier.verify(issuer.token("member"))
    for _ in range(20):
        assert await verifier.verify(issuer.token("member"))
        await asyncio.sleep(0.002)
    with pytest.raises(Problem) as refused:
        await verifier.verify(_issuer("later").token("member"))
    assert refused.value.status == 401
    await keys.close()


async def test_issuer_silent__known_keys_do_not_wait():
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, ttl=0.001, min_interval=0.0, timeout=30)
        verifier, issuer = _verifier(keys), _issuer("k")
        idp.publishes(issuer.jwks())
        assert await verifier.verify(issuer.token("member"))
        idp.silent = True
        async with asyncio.timeout(10):  # the issuer's own is 30
            for _ in range(20):
                assert await verifier.verify(issuer.token("member"))
                await asyncio.sleep(0.002)
        await keys.close()


async def test_issuer_never_answered__503_not_401():
    keys = KeySet("http://127.0.0.1:1/", algorithms=ALGORITHMS, min_interval=0.0)
    with pytest.raises(Problem) as refused:
        await _verifier(keys).verify(_issuer("k").token("member"))
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "2"})


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"<html>", "200 OK", ""),
        (b"[]", "200 OK", ""),
        (b'{"keys": 1}', "200 OK", ""),
        (b'{"keys": []}', "200 OK", ""),
        (b'{"keys": [{"kty": "oct", "k": "eHh4", "kid": "k", "alg": "HS256"}]}', "200 OK", ""),
        (b"{}", "500 Internal Server Error", ""),
        (b"x" * 300_000, "200 OK", ""),
        (b"", "302 Found", "Location: /elsewhere\r\n"),
    ],
)
async def test_bad_answer__the_last_good_set_stays(body, status, headers):
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, min_interval=0.0)
        issuer = _issuer("k")
        idp.publishes(issuer.jwks())
        await keys.refresh()
        idp.publishes(body, status, headers)
        await keys.refresh()
        assert idp.requests == 2
        assert idp.paths == ["/jwks.json"] * 2
        assert await _verifier(keys).verify(issuer.token("member"))


async def test_withdrawn_key__is_refused_after_the_next_fetch():
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, min_interval=0.0)
        stolen, fresh = _issuer("stolen"), _issuer("fresh")
        idp.publishes(stolen.jwks())
        verifier = _verifier(keys)
        token = stolen.token("member")
        assert await verifier.verify(token)
        idp.publishes(fresh.jwks())
        await keys.refresh()
        with pytest.raises(Problem):
            await verifier.verify(token)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_withdrawn_key__is_refused_by_itself_also_for_a_token_seen_before():
    """Nobody asks for an unknown key: the fetch every `ttl` seconds alone ends it."""
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, ttl=0.01, min_interval=0.0)
        verifier, stolen = _verifier(keys), _issuer("stolen")
        idp.publishes(stolen.jwks())
        token = stolen.token("member")
        assert await verifier.verify(token)
        fetching = asyncio.create_task(keys.keep_fresh())
        idp.publishes(_issuer("fresh").jwks())
        before = keys.generation
        async with asyncio.timeout(30):
            while keys.generation == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        with pytest.raises(Problem) as refused:
            await verifier.verify(token)
        assert refused.value.status == 401
        fetching.cancel()
        await keys.close()


async def test_stale_set__any_call_begins_a_fetch_also_with_a_token_seen_before():
    async with identity() as idp:
        clock = Clock()
        keys = KeySet(idp.url, algorithms=ALGORITHMS, ttl=300, max_age=3600, min_interval=0.0, clock=clock)
        verifier, stolen = _verifier(keys), _issuer("stolen")
        idp.publishes(stolen.jwks())
        token = stolen.token("member")
        assert await verifier.verify(token)
        idp.publishes(_issuer("fresh").jwks())
        clock.now += 301
        before = keys.generation
        assert await verifier.verify(token), "the answer does not wait"
        async with asyncio.timeout(30):
            while keys.generation == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        with pytest.raises(Problem):
            await verifier.verify(token)
        await keys.close()


@pytest.mark.parametrize("seen", [True, False])
async def test_issuer_away_beyond_the_greatest_age__503_until_it_answers_again(seen: bool):
    clock, issuer = Clock(), _issuer("k")
    async with identity() as idp:
        keys = KeySet(idp.url, algorithms=ALGORITHMS, ttl=300, max_age=3600, min_interval=0.0, clock=clock)
        verifier, token = _verifier(keys), issuer.token("member")
        idp.publishes(issuer.jwks())
        await keys.refresh()
        if seen:
            assert await verifier.verify(token)
        idp.publishes(b"", "500 Internal Server Error")
        clock.now += 3600
        assert await verifier.verify(token)
        clock.now += 1
        with pytest.raises(Problem) as refused:
            await verifier.verify(token)
        assert (refused.value.status, refused.value.code) == (503, "identity_unavailable")
        idp.publishes(issuer.jwks())
        assert await verifier.verify(token)
        await keys.close()


async def test_issuer_away__it_is_asked_again_by_itself():
    async with identity() as idp:
        keys, issuer = KeySet(idp.url, algorithms=ALGORITHMS, ttl=0.01, min_interval=0.0), _issuer("k")
        idp.publishes(b"", "500 Internal Server Error")
        fetching = asyncio.create_task(keys.keep_fresh())
        async with asyncio.timeout(30):
            while idp.requests < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            idp.publishes(issuer.jwks())
            while not keys.trusted():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await _verifier(keys).verify(issuer.token("member"))
        fetching.cancel()
        await keys.close()
