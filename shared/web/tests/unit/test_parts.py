"""The small parts: ETags, cursors, consistency tokens, the limit, problems."""

import base64
import json
import time
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_web.auth import RateLimit
from booking_web.consistency import ConsistencyToken
from booking_web.instants import InstantOut
from booking_web.pages import _digest, decode_cursor, encode_cursor
from booking_web.problems import Members, Problem, pointer

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))
PARTS = st.one_of(
    st.datetimes(timezones=st.just(UTC)), st.dates(), st.uuids(), st.integers(1 - 2**63, 2**63 - 1), TEXTS
)


@given(st.lists(PARTS, max_size=4))
def test_cursor__comes_back(parts):
    assert decode_cursor(encode_cursor(*parts, of="notes"), of="notes") == tuple(parts)


@given(st.text(max_size=80))
def test_cursor__any_text_is_parts_or_422(text):
    with pytest.raises(Problem) as refused:
        decode_cursor(text, of="notes")
    assert refused.value.status == 422


def _as_cursor(payload: bytes, digest: bytes | None = None) -> str:
    return (
        base64.urlsafe_b64encode((_digest(payload, "notes") if digest is None else digest) + payload)
        .decode()
        .rstrip("=")
    )


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from("tuis"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)


@given(JSONS, st.booleans())
def test_cursor__what_we_never_wrote_is_422_even_with_a_right_digest(value, right):
    payload = json.dumps(value).encode()
    with pytest.raises(Problem) as refused:
        decode_cursor(_as_cursor(payload, None if right else b"123456"), datetime, UUID, of="notes")
    assert (refused.value.status, refused.value.code) == (422, "invalid_cursor")


@pytest.mark.parametrize(
    "payload",
    [
        b'[["u",5]]', b'[["i",1e400]]', b'[["u",[]]]', b'[["d",7]]', b'[["t",null]]', b'[["i","5"]]', b'[["i",true]]',
        b'[["s",5]]', b'[["u","{0198d2a0-1111-7000-8000-000000000001}"]]', b"[[[],1]]", b"[5]", b"5", b"null", b"",
        b'[["t","2026-12-01T00:00:00"]]', b'[["i",9223372036854775808]]', b'[["s","\\u0000"]]', b'[["s","\\ud800"]]',
        b'[["u", "0198d2a0-1111-7000-8000-000000000001"]]', b"\xff\xff", b"[" * 500,
    ],
)  # fmt: skip
@pytest.mark.parametrize("digest", [None, b"123456"])
def test_cursor__forged_parts_are_422(payload, digest):
    with pytest.raises(Problem) as refused:
        decode_cursor(_as_cursor(payload, digest), of="notes")
    assert refused.value.code == "invalid_cursor"


def test_cursor_of_another_list__is_422():
    cursor = encode_cursor(datetime.now(UTC), uuid4(), of="notes")
    assert decode_cursor(cursor, datetime, UUID, of="notes")
    for types in ((date, UUID), (datetime,), (str, str)):
        with pytest.raises(Problem):
            decode_cursor(cursor, *types, of="notes")


def test_cursor_of_another_list_with_the_same_key__is_422():
    cursor = encode_cursor(uuid4(), of="transactions")
    with pytest.raises(Problem) as refused:
        decode_cursor(cursor, UUID, of="products")
    assert refused.value.code == "invalid_cursor"


def test_consistency_token__comes_back():
    token = ConsistencyToken("checkout", "transaction", str(uuid4()), 7)
    assert ConsistencyToken.decode(token.encode()) == token


@given(st.text(max_size=60))
def test_consistency_token__any_text_is_a_token_or_422(text):
    try:
        ConsistencyToken.decode(text)
    except Problem as refused:
        assert refused.status == 422  # noqa: PT017


def test_limit__lets_a_burst_pass_then_a_steady_rate(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit = RateLimit(60)
    assert [limit.wait("a") for _ in range(60)] == [0.0] * 60
    wait = limit.wait("a")
    assert 0 < wait <= 1.0
    assert limit.wait("b") == 0.0
    now += wait
    assert limit.wait("a") == 0.0
    assert limit.wait("a") > 0


def test_limit_of_zero__is_off():
    assert not any(RateLimit(0).wait("a") for _ in range(10_000))


def test_limit__forgets_who_stays_away(monkeypatch):
    monkeypatch.setattr("booking_web.auth._MOST_KEPT", 10)
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit = RateLimit(60)
    for who in range(1000):
        now += 1.0
        limit.wait(who)
    assert len(limit._due) <= 11


class _InTheWay(Members):
    id: UUID
    at: InstantOut
    note: str | None = None


def test_problem__says_its_members_as_json_and_leaves_out_what_was_not_given():
    problem = Problem(409, "overlap", "No.", _InTheWay(id=UUID(int=1), at=datetime(2026, 12, 1, 9, tzinfo=UTC)))
    assert problem.members == {"id": str(UUID(int=1)), "at": "2026-12-01T09:00:00Z"}


def test_limit__tells_what_is_left_and_when_all_is(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit, told = RateLimit(60), list[tuple[int, int]]()
    for _ in range(61):
        limit.wait("a")
        quota = limit.quota("a")
        assert quota is not None
        told.append((quota.left, quota.resets_in))
    assert told[:2] == [(59, 1), (58, 2)]
    assert told[59:] == [(0, 60), (0, 60)]
    assert RateLimit(0).quota("a") is None


def test_pointer__escapes():
    assert pointer(("a/b", "c~d", 0)) == "/a~1b/c~0d/0"
