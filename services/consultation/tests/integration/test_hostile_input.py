"""No input makes an error of ours (api.md: never a 500 for bad input): generated bodies, queries and headers."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.consultation.tests.rig import Rig, schedule
from tests.rigs.service import Caller

pytestmark = pytest.mark.servers

FIRST, LAST = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", "\x00", "\ud800", "a" * 11_000, "9999-12-31", FIRST, "%", "'; --", "NaN"]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/sessions?wait=0"): {"transaction_id": str(uuid4()), "assessment_id": str(uuid4())},
    ("POST", "/v1/sessions/{id}/schedule"): schedule(fold=0, ends_next_day=False),
    ("PUT", "/v1/sessions/{id}/schedule"): schedule(fold=1),
    ("POST", "/v1/sessions/{id}/start"): {},
    ("POST", "/v1/sessions/{id}/result"): {"result_link": "https://drive.google.com/x", "result_notes": "x"},
    ("POST", "/v1/sessions/{id}/cancel"): {"reason_code": "other", "reason": "x"},
    ("POST", "/v1/sessions/{id}/fail"): {"reason_code": "other", "reason": "x"},
    ("PUT", "/v1/assessments/{id}"): {"user_id": str(uuid4()), "completed_at": "2026-11-01T00:00:00Z"},
}
QUERIES = ["status", "from", "to", "limit", "cursor", "wait", "as_of"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))  # pyright: ignore[reportArgumentType]
@given(data=st.data())
async def test_any_body__is_never_an_error_of_ours(rig: Rig, data: st.DataObject):
    """F44, T5: one field of a good body becomes anything, or another is added."""
    (method, path), good = data.draw(st.sampled_from(list(BODIES.items())))
    name = data.draw(st.sampled_from([*good, "extra"]))
    body = good | {name: data.draw(VALUES)} if data.draw(st.integers(0, 9)) else data.draw(VALUES)
    caller = rig.caller("member", "practitioner", "admin")
    answer = await caller.call(method, path.replace("{id}", str(uuid4())), body, If_Match='"1"')
    assert answer.status_code < 500, (answer.status_code, body)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))  # pyright: ignore[reportArgumentType]
@given(data=st.data())
async def test_any_query_and_header__is_never_an_error_of_ours(rig: Rig, data: st.DataObject):
    """T6: filters, cursors, instants, conditions, keys and tokens of any text."""
    caller = rig.caller("member", "practitioner", "admin")
    texts = st.one_of(
        TEXTS.map(lambda text: text.encode("utf-8", "replace").decode()[:300]), st.just("2026-11-22T00:00:00Z")
    )
    query = data.draw(st.dictionaries(st.sampled_from(QUERIES), texts, max_size=3))
    visible = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
    names = ["If_Match", "Idempotency_Key", "Consistency_Token", "X_Request_Id"]
    headers = data.draw(st.dictionaries(st.sampled_from(names), visible, max_size=2))
    path = data.draw(st.sampled_from(["/v1/sessions", f"/v1/sessions/{uuid4()}", f"/v1/sessions/{uuid4()}/history"]))
    answer = await rig.http.get(path, params={"wait": "0"} | query, headers=_authorized(caller, headers))
    assert answer.status_code < 500 or answer.json()["code"] == "not_yet_visible", (answer.text, query, headers)


@pytest.mark.parametrize("instant", [FIRST, LAST])
async def test_instants_at_the_edges_of_time__are_refused_or_read(rig: Rig, instant: str):
    """T6: an instant whose UTC lies outside of the calendar is no assessment's date and no end of a range."""
    caller = rig.caller("service", "admin")
    body = {"user_id": str(uuid4()), "completed_at": instant}
    assert (await caller.put(f"/v1/assessments/{uuid4()}", body)).status_code == 422
    asked = instant.replace("+", "%2B")
    assert (await caller.get(f"/v1/sessions?start={asked}&end={asked}")).status_code == 422
    assert (await caller.get(f"/v1/sessions/{uuid4()}?as_of={asked}")).status_code == 422


def _authorized(caller: Caller, headers: dict[str, str]) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {**caller.headers, **named}
