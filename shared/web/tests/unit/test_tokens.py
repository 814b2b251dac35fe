"""Hostile and honest tokens (reliability.md T2, T3): whatever one holds, the answer is 401, never 500."""

import base64
import hashlib
import hmac
import json
import time
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from booking_web.auth import TokenVerifier
from booking_web.keys import KeySet
from booking_web.problems import Problem
from booking_web.testing import Issuer

ALGORITHMS = ("RS256", "ES256", "EdDSA")
ISSUER = Issuer(issuer="https://identity.example")
STRANGER = Issuer(issuer="https://identity.example")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_JWK = RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True) | {"kid": "rsa", "use": "sig", "alg": "RS256"}
ED_KEY = ed25519.Ed25519PrivateKey.generate()
ED_JWK = OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True) | {"kid": "ed", "alg": "EdDSA"}
PEM = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _hmac(header: dict, claims: dict, secret: bytes) -> str:
    signed = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{signed}.{_b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def _unsigned(header: dict, claims: object, signature: str = "") -> str:
    return f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}.{signature}"


def _raw(payload: bytes) -> str:
    """Any payload bytes, properly signed."""
    signed = f"{_b64(json.dumps({'alg': 'ES256', 'kid': ISSUER.kid, 'typ': 'at+jwt'}).encode())}.{_b64(payload)}"
    return f"{signed}.{_b64(ECAlgorithm(ECAlgorithm.SHA256).sign(signed.encode(), ISSUER.key))}"


def _without(name: str) -> str:
    return ISSUER.sign({known: value for known, value in GOOD.items() if known != name})


# Made when the file is read, tried when the worker comes to it, on a slow machine half an hour later: good for a day.
NOW, DAY = int(time.time()), 86_400
GOOD = ISSUER.claims("member") | {"exp": NOW + DAY}
HEADER = {"alg": "ES256", "kid": ISSUER.kid, "typ": "at+jwt"}

HOSTILE = {
    "empty": "",
    "no dots": "abc",
    "one dot": "a.b",
    "many dots": "a.b.c.d.e",
    "not base64": "!!.??.##",
    "not ascii": "é.é.é",
    "header no JSON": f"{_b64(b'{')}.{_b64(b'{}')}.",
    "header a list": f"{_b64(b'[]')}.{_b64(b'{}')}.AA",
    "header deeply nested": f"{_b64(b'[' * 5000)}.{_b64(b'{}')}.AA",
    "alg none": _unsigned({"alg": "none", "kid": ISSUER.kid, "typ": "at+jwt"}, GOOD),
    "alg None": _unsigned({"alg": "NoNe", "kid": ISSUER.kid, "typ": "at+jwt"}, GOOD),
    "alg a list": _unsigned(HEADER | {"alg": ["ES256"]}, GOOD, "AA"),
    "alg missing": _unsigned({"kid": ISSUER.kid, "typ": "at+jwt"}, GOOD, "AA"),
    "HS256 with the public PEM": _hmac({"alg": "HS256", "kid": "rsa", "typ": "at+jwt"}, GOOD, PEM),
    "HS256 with the JWK": _hmac({"alg": "HS256", "kid": "rsa", "typ": "at+jwt"}, GOOD, json.dumps(RSA_JWK).encode()),
    "HS256 with an empty secret": _hmac({"alg": "HS256", "kid": ISSUER.kid, "typ": "at+jwt"}, GOOD, b""),
    "RS256 named, ES256 key": _unsigned(HEADER | {"alg": "RS256"}, GOOD, "AA"),
    "ES256 named, RSA key": jwt.encode(GOOD, RSA_KEY, "RS256", headers={"kid": "rsa"}).replace(
        jwt.encode(GOOD, RSA_KEY, "RS256", headers={"kid": "rsa"}).split(".")[0],
        _b64(json.dumps(HEADER | {"kid": "rsa"}).encode()),
    ),
    "RS512 is not allowed": jwt.encode(GOOD, RSA_KEY, "RS512", headers={"kid": "rsa", "typ": "at+jwt"}),
    "signature empty": _unsigned(HEADER, GOOD),
    "signature zeros": _unsigned(HEADER, GOOD, _b64(bytes(64))),
    "signature of another": STRANGER.sign(GOOD),
    "signature cut": ISSUER.sign(GOOD)[:-4],
    "payload changed": ".".join(
        [(parts := ISSUER.sign(GOOD).split("."))[0], _b64(json.dumps(GOOD | {"roles": ["admin"]}).encode()), parts[2]]
    ),
    "kid unknown": ISSUER.sign(GOOD, kid="nobody"),
    "kid a path": ISSUER.sign(GOOD, kid="../../../../dev/null"),
    "kid SQL": ISSUER.sign(GOOD, kid="' OR 1=1 --"),
    "kid a NUL": ISSUER.sign(GOOD, kid="\x00"),
    "kid long": ISSUER.sign(GOOD, kid="k" * 5000),
    "kid empty": ISSUER.sign(GOOD, kid=""),
    "kid missing": _unsigned({"alg": "ES256", "typ": "at+jwt"}, GOOD, "AA"),
    "kid a number": _unsigned(HEADER | {"kid": 1}, GOOD, "AA"),
    "own key by jwk": STRANGER.sign(GOOD, jwk=ECAlgorithm.to_jwk(STRANGER.key.public_key(), as_dict=True)),
    "own key by jku": STRANGER.sign(GOOD, jku="https://evil.example/jwks.json"),
    "own key by x5u": STRANGER.sign(GOOD, x5u="https://evil.example/cert.pem"),
    "b64 false": _unsigned(HEADER | {"b64": False, "crit": ["b64"]}, GOOD, "AA"),
    "b64 false, not critical": _unsigned(HEADER | {"b64": False}, GOOD, "AA"),
    "crit unknown": _unsigned(HEADER | {"crit": ["exp"]}, GOOD, "AA"),
    "typ JWT": ISSUER.sign(GOOD, typ="JWT"),
    "typ an ID token's": ISSUER.sign(GOOD, typ="id+jwt"),
    "typ null": _unsigned(HEADER | {"typ": None}, GOOD, "AA"),
    "a megabyte": ISSUER.sign(GOOD | {"pad": "x" * 1_000_000}),
    "payload no JSON": _raw(b"{"),
    "payload a list": _raw(b"[]"),
    "payload a number": _raw(b"1"),
    "payload deeply nested": _raw(b'{"a":' * 900 + b"1" + b"}" * 900),
    "payload not UTF-8": _raw(b"\xff\xfe{}"),
    "payload a huge integer": _raw(json.dumps(GOOD).encode()[:-1] + b', "exp": 1' + b"0" * 5000 + b"}"),
    "iss another": ISSUER.sign(GOOD | {"iss": "https://identity.example.evil"}),
    "iss with a slash": ISSUER.sign(GOOD | {"iss": "https://identity.example/"}),
    "iss a list": ISSUER.sign(GOOD | {"iss": ["https://identity.example"]}),
    "aud another": ISSUER.sign(GOOD | {"aud": "billing"}),
    "aud others": ISSUER.sign(GOOD | {"aud": ["billing", "mail"]}),
    "aud a prefix": ISSUER.sign(GOOD | {"aud": "booking2"}),
    "aud an object": ISSUER.sign(GOOD | {"aud": {"booking": 1}}),
    "aud null": ISSUER.sign(GOOD | {"aud": None}),
    "exp past": ISSUER.sign(GOOD | {"exp": NOW - 120}),
    "exp a text": ISSUER.sign(GOOD | {"exp": str(NOW + DAY)}),
    "exp true": ISSUER.sign(GOOD | {"exp": True}),
    "exp null": ISSUER.sign(GOOD | {"exp": None}),
    "exp infinite": _raw(json.dumps(GOOD | {"exp": float("inf")}).encode()),
    "exp not a number": _raw(json.dumps(GOOD | {"exp": float("nan")}).encode()),
    "exp far beyond": ISSUER.sign(GOOD | {"exp": 10**30}),
    "iat in the future": ISSUER.sign(GOOD | {"iat": NOW + DAY // 2}),
    "iat a text": ISSUER.sign(GOOD | {"iat": "now"}),
    "nbf in the future": ISSUER.sign(GOOD | {"nbf": NOW + DAY // 2}),
    "nbf a list": ISSUER.sign(GOOD | {"nbf": []}),
    "jti empty": ISSUER.sign(GOOD | {"jti": ""}),
    "jti a number": ISSUER.sign(GOOD | {"jti": 7}),
    "sub no UUID": ISSUER.sign(GOOD | {"sub": "alice"}),
    "sub a number": ISSUER.sign(GOOD | {"sub": 5}),
    "sub in braces": ISSUER.sign(GOOD | {"sub": "{" + str(uuid4()) + "}"}),
    "sub a urn": ISSUER.sign(GOOD | {"sub": "urn:uuid:" + str(uuid4())}),
    "sub null": ISSUER.sign(GOOD | {"sub": None}),
    "roles a text": ISSUER.sign(GOOD | {"roles": "admin"}),
    "roles of numbers": ISSUER.sign(GOOD | {"roles": [1]}),
    "roles nested": ISSUER.sign(GOOD | {"roles": [["admin"]]}),
    "roles an object": ISSUER.sign(GOOD | {"roles": {"admin": True}}),
    "roles null": ISSUER.sign(GOOD | {"roles": None}),
    "roles without end": ISSUER.sign(GOOD | {"roles": ["x"] * 1000}),
    "name an object": ISSUER.sign(GOOD | {"name": {"$ne": 1}}),
    "name with NUL": ISSUER.sign(GOOD | {"name": "a\x00b"}),
    "name a lone surrogate": _raw(json.dumps(GOOD | {"name": "\ud800"}).encode()),
    "email endless": ISSUER.sign(GOOD | {"email": "a" * 600}),
    **{f"without {name}": _without(name) for name in ("iss", "aud", "sub", "iat", "exp", "jti", "roles")},
}


@pytest.fixture
def verifier() -> TokenVerifier:
    keys = KeySet("https://127.0.0.1:1/", algorithms=ALGORITHMS, min_interval=0.0)
    ours = json.loads(ISSUER.jwks())["keys"]
    oct_key = {"kty": "oct", "k": _b64(b"x" * 32), "kid": "oct", "alg": "HS256"}
    keys.take(json.dumps({"keys": [*ours, RSA_JWK, ED_JWK, oct_key, {"kty": "EC"}, "nonsense"]}).encode())
    return TokenVerifier(keys, issuer=ISSUER.issuer, audience="booking", algorithms=ALGORITHMS)


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_token__is_401(verifier, name):
    for _ in range(2):  # a cache must not change the answer
        with pytest.raises(Problem) as refused:
            await verifier.verify(HOSTILE[name])
        assert (refused.value.status, refused.value.code) == (401, "unauthorized")


def test_the_suite__is_large_enough():
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize("name", list(HOSTILE))
async def test_hostile_token__is_a_plain_401_over_http(offline, name):
    async with offline() as (client, _):
        token = HOSTILE[name].encode()
        if len(token) > 60_000:
            pytest.skip("no server reads such a header")
        answer = await client.get("/v1/notes", headers={b"authorization": b"Bearer " + token})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Token x", "bearer", "Bearer a b", "Bearer\tx", "Bearer ,"]
)
async def test_odd_header__is_401(offline, header):
    async with offline() as (client, _):
        assert (await client.get("/v1/notes", headers={"authorization": header})).status_code == 401


async def test_two_headers__are_401(offline):
    async with offline() as (client, issuer):
        good = f"Bearer {issuer.token('member')}"
        answer = await client.get("/v1/notes", headers=[("authorization", good), ("authorization", good)])
    assert answer.status_code == 401


async def test_good_token__is_its_principal(verifier):
    person = uuid4()
    token = ISSUER.token("member", "offline_access", sub=person, name="Ayu", phone_number="+62811", locale="id")
    principal = await verifier.verify(token)
    assert principal.sub == person
    assert principal.roles == {"member"}
    assert (principal.name, principal.phone_number, principal.locale) == ("Ayu", "+62811", "id")
    assert principal.actor("member") == f"member:{person}"
    assert await verifier.verify(token) is principal


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(RSA_KEY, "rsa", "RS256"), (ED_KEY, "ed", "EdDSA")])
async def test_every_allowed_algorithm__verifies(verifier, key, kid, algorithm):
    token = jwt.encode(GOOD, key, algorithm, headers={"kid": kid, "typ": "application/at+jwt"})
    assert str((await verifier.verify(token)).sub) == GOOD["sub"]


@pytest.mark.parametrize("aud", ["booking", ["booking"], ["mail", "booking"]])
async def test_audience__may_be_one_of_several(verifier, aud):
    assert await verifier.verify(ISSUER.sign(GOOD | {"aud": aud, "jti": str(uuid4())}))


async def test_expiry__is_tolerated_by_the_leeway_only(verifier):
    barely = ISSUER.sign(GOOD | {"exp": int(time.time()) - 5})
    assert await verifier.verify(barely)


async def test_cached_token__expires(verifier):
    token = ISSUER.sign(GOOD | {"exp": int(time.time()) + 1})
    verifier._leeway = 0
    assert await verifier.verify(token)
    known = verifier._known[token]
    assert known.expires_at <= time.time() + 1.001
    verifier._known[token] = type(known)(known.principal, time.time() - 1, known.generation)
    verifier._leeway = -3600
    with pytest.raises(Problem):
        await verifier.verify(token)


async def test_cached_token__falls_with_its_key(verifier):
    token = ISSUER.token("member")
    assert await verifier.verify(token)
    verifier._keys.take(STRANGER.jwks())
    with pytest.raises(Problem):
        await verifier.verify(token)


async def test_cache__is_bounded(verifier, monkeypatch):
    monkeypatch.setattr("booking_web.auth._CACHED_TOKENS", 3)
    for _ in range(10):
        await verifier.verify(ISSUER.token("member"))
    assert len(verifier._known) <= 3


async def test_curve_of_another_size__is_not_usable():
    key = ec.generate_private_key(ec.SECP384R1())
    entry = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "p384"}
    keys = KeySet("https://identity.example/jwks.json", algorithms=ALGORITHMS)
    with pytest.raises(ValueError, match="no usable key"):
        keys.take(json.dumps({"keys": [entry]}).encode())


async def test_short_rsa_key__is_refused():
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    entry = RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True) | {"kid": "weak"}
    keys = KeySet("https://identity.example/jwks.json", algorithms=ALGORITHMS)
    keys.take(json.dumps({"keys": [entry]}).encode())
    verifier = TokenVerifier(keys, issuer=ISSUER.issuer, audience="booking", algorithms=ALGORITHMS)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        token = jwt.encode(GOOD, weak, "RS256", headers={"kid": "weak", "typ": "at+jwt"})
    with pytest.raises(Problem):
        await verifier.verify(token)
