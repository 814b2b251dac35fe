"""Conditional requests on every route of every service (RFC 9110 §13): a new route can't forget the rule.

What a condition makes of a version is booking_web's own tests; each service's have their replays and races.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.contract.documents import committed_file, operations, read, spelled_out
from tests.api.service_under_test import ANONYMOUS, MODULES, ROLES, ServiceUnderTest
from tests.api.test_access_matrix import MATRIX, PROOF

NAMES = tuple(MODULES)
DOCUMENTS = {
    name: spelled_out(read(committed_file({"calendar": "calendar-projector"}.get(name, name)))) for name in NAMES
}
NEW = {
    "create_transaction",
    "request_session",
    "create_calendar_feed",
    "create_stream_ticket",
    "create_webhook_endpoint",
}
"""These make something new: what they are sent to is a list, which has no version."""
WITHOUT_VERSION = {"put_erasure", "revoke_calendar_feed", "rebuild_projection", "abandon_projection_rebuild"} | {
    "replay_held_record",
    "discard_held_record",
}
"""Repeating these is harmless, or their object only ever ends: nothing of it could be overwritten."""
KEEPING = {"put_me", "put_practitioner"}
"""What is left out of these bodies stays as it is; every other PUT gives the whole."""
MALFORMED = ["3", '"3', "anything", "", '"3" "4"', '*, "3"']


def writes(name: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with a token that changes something: method, path, operation."""
    for path, method, operation in operations(DOCUMENTS[name]):
        if method in {"put", "post", "delete", "patch"} and MATRIX[name].get(operation["operationId"]) != PROOF:
            yield method, path, operation


def _schema(name: str, node: dict[str, Any]) -> dict[str, Any]:
    found = node.get("content", {}).get("application/json", {}).get("schema", {})
    found = next((one for one in found.get("anyOf", []) if "$ref" in one), found)
    return DOCUMENTS[name]["components"]["schemas"].get(found.get("$ref", "").rpartition("/")[2], found)


@pytest.mark.parametrize("name", NAMES)
def test_every_write__takes_both_conditions_or_is_known_to_have_no_version(name: str) -> None:
    for _, path, operation in writes(name):
        taken = {one["name"] for one in operation.get("parameters", []) if one["in"] == "header"}
        known = operation["operationId"] in NEW | WITHOUT_VERSION
        assert known or {"If-Match", "If-None-Match"} <= taken, path


@pytest.mark.parametrize("name", NAMES)
def test_every_body_that_keeps_what_is_left_out__has_no_defaults(name: str) -> None:
    """Clients that are made from the document send defaults, and so would erase what was chosen."""
    for method, path, operation in writes(name):
        if operation["operationId"] in KEEPING:
            defaults = [
                f for f, one in _schema(name, operation["requestBody"])["properties"].items() if "default" in one
            ]
            assert defaults == [], path
        elif method in {"put", "patch"} and "requestBody" in operation:
            assert "stays" not in _schema(name, operation["requestBody"]).get("description", ""), path


def _role(service: ServiceUnderTest, operation: dict[str, Any]) -> str:
    allowed = MATRIX[service.name][operation["operationId"]]
    return next((role for role in ("admin", *ROLES) if role in allowed), ANONYMOUS)


def _addresses(service: ServiceUnderTest, path: str) -> list[str]:
    found = [path]
    for parameter in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        ids = service.known.get(parameter) or ["0198d2a0-7777-7000-8000-000000000007"]
        found = [one.replace(f"{{{parameter}}}", str(id_)) for one in found for id_ in ids]
    return found


@pytest.mark.servers
def test_every_write__refuses_a_malformed_condition(service: ServiceUnderTest) -> None:
    for method, path, operation in writes(service.name):
        address = _addresses(service, path)[0]
        for header in ("If-Match", "If-None-Match"):
            for value in MALFORMED:
                headers = service.headers(_role(service, operation)) | {header: value}
                answer = service.client.request(method, service.url + address, json={}, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), (path, header, value)
                assert header in answer.json()["detail"]


@pytest.mark.servers
def test_every_read_of_one_object_with_a_version__is_conditional(service: ServiceUnderTest) -> None:
    asked: set[str] = set()
    for path, method, operation in operations(DOCUMENTS[service.name]):
        shown = _schema(service.name, operation["responses"].get("200", {})).get("properties", {})
        if method != "get" or shown.get("version", {}).get("type") != "integer":
            continue
        for address in _addresses(service, path)[:5]:
            headers = service.headers(_role(service, operation))
            whole = service.client.get(service.url + address, headers=headers)
            if whole.status_code != 200:
                continue
            tag = whole.headers["etag"]
            for value in (tag, f"W/{tag}", tag[:-1] + '-gzip"', f'"0", {tag}', "*", f'"{whole.json()["version"]}"'):
                same = service.client.get(service.url + address, headers=headers | {"If-None-Match": value})
                assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag), (path, value)
            other = service.client.get(service.url + address, headers=headers | {"If-None-Match": '"999999"'})
            assert other.json() == whole.json()
            stale = service.client.get(service.url + address, headers=headers | {"If-Match": '"999999"'})
            assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
            asked.add(path)
    expected = {"checkout": 4, "consultation": 2, "notifier": 4, "calendar": 0}[service.name]
    assert len(asked) >= expected, asked
