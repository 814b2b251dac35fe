"""The manners of HTTP, each as a walk over every route of every service: a new route cannot forget one (api.md)."""

import ast
import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, TypeAdapter
from tests.api.contract.documents import operations, spelled_out
from tests.api.service_under_test import MODULES, PEOPLE, ROLES, ServiceUnderTest, offline

from booking_web.application import EXPOSED
from booking_web.pages import encode_cursor
from booking_web.problems import ERROR_CODES
from booking_web.testing import Issuer

ROOT = Path(__file__).resolve().parents[2]
READABLE_BY_PAGES = {
    "cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma",
}  # fmt: skip
FOR_BROWSERS = {
    "connection", "content-security-policy", "referrer-policy", "strict-transport-security", "vary",
    "x-accel-buffering", "x-content-type-options", "x-robots-tag",
}  # fmt: skip


def _paths(name: str) -> dict[str, set[str]]:
    """Every path of a service, those of health and of the document too, with its methods."""
    found: dict[str, set[str]] = {}
    for one in iter_route_contexts(offline(name).routes):
        found.setdefault(str(one.path_format), set()).update(one.methods or ())
    return found


def _operations(name: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, method, operation in operations(spelled_out(offline(name).openapi())):
        yield method, path, operation


def _filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", str(uuid4()), path)


PATHS = [(name, path, methods) for name in MODULES for path, methods in _paths(name).items()]
PATH_IDS = [f"{name}-{path}" for name, path, _ in PATHS]
OPERATIONS = [(name, *one) for name in MODULES for one in _operations(name)]
OPERATION_IDS = [f"{name}-{operation['operationId']}" for name, _, _, operation in OPERATIONS]


def _calling(name: str) -> tuple[httpx2.AsyncClient, dict[str, str]]:
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=offline(name)), base_url="http://service")
    return client, _issuer(name).bearer(*ROLES, sub=PEOPLE["admin"])


@cache
def _issuer(name: str) -> Issuer:
    return Issuer.install(offline(name))


@pytest.mark.parametrize(("name", "path", "methods"), PATHS, ids=PATH_IDS)
async def test_allow__tells_every_method_of_the_path(name: str, path: str, methods: set[str]):
    expected = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    client, bearer = _calling(name)
    async with client:
        for headers in ({}, bearer):
            refused = await client.request("PROPFIND", _filled(path), headers=headers)
            asked = await client.options(_filled(path), headers=headers)
            assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, expected)
            assert (asked.status_code, set(asked.headers["allow"].split(", "))) == (204, expected)


@pytest.mark.parametrize(("name", "path", "methods"), PATHS, ids=PATH_IDS)
async def test_head__is_answered_as_get_without_a_body(name: str, path: str, methods: set[str]):
    client, bearer = _calling(name)
    async with client:
        address = _filled(path)
        get, head = await client.get(address, headers=bearer), await client.head(address, headers=bearer)
    assert head.status_code == get.status_code
    assert (head.status_code == 405) == ("GET" not in methods)
    assert head.headers.keys() == get.headers.keys()
    assert not head.content


def _is_list(parameter: Any) -> bool:
    return any(one.get("type") == "array" for one in parameter["schema"].get("anyOf", []))


@pytest.mark.parametrize(("name", "method", "path", "operation"), OPERATIONS, ids=OPERATION_IDS)
async def test_query__that_the_route_does_not_know_is_refused(name: str, method: str, path: str, operation: Any):
    known = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query" and not _is_list(one)]
    wrong = ["no_such_parameter=1", "=", "user_ID=1", *(f"{one}=1&{one}=2" for one in known)]
    client, bearer = _calling(name)
    async with client:
        for query in wrong:
            answer = await client.request(method, f"{_filled(path)}?{query}", headers=bearer)
            assert answer.status_code == 422, (query, answer.text)
            assert {error["pointer"] for error in answer.json()["errors"]} == {"?" + query.partition("=")[0]}
        if operation.get("security"):
            anonymous = await client.request(method, f"{_filled(path)}?{wrong[0]}")
            assert anonymous.status_code == 401


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from _models(field.annotation)
    for part in get_args(kind):
        yield from _models(part)


def _holds_instant(kind: Any) -> bool:
    return kind in (datetime, AwareDatetime) or any(_holds_instant(part) for part in get_args(kind))


def _answered(name: str) -> set[type[BaseModel]]:
    routes = [one for one in iter_route_contexts(offline(name).routes) if isinstance(one.original_route, APIRoute)]
    kinds = [route.response_model for route in routes]
    kinds += [told.get("model") for route in routes for told in route.responses.values()]
    return {model for kind in kinds for model in _models(kind)}


@pytest.mark.parametrize("name", MODULES)
def test_instants_of_answers__have_one_form_whatever_the_zone_of_the_database(name: str):
    moment = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=7)))
    fields = [(model, *one) for model in _answered(name) for one in model.model_fields.items()]
    found = [one for one in fields if _holds_instant(one[2].annotation)]
    assert found
    for model, field, info in found:
        kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        told = adapter.dump_json(adapter.validate_python(moment))
        assert told == b'"2026-12-01T02:00:00Z"', f"{model.__name__}.{field}"


OF_REQUESTS = {"accept", "authorization"}
ASK_OTHERS = {"keys.py", "telemetry_export.py"}
"""What they set are headers of requests."""


def _headers_set(tree: ast.AST) -> Iterator[str]:
    """What stands in `x.headers["..."] = `, in `headers={...}` and in a dict that is named for it."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Attribute(attr="headers"), slice=ast.Constant(value=name))]
            ):
                yield str(name)
            case ast.Assign(targets=[ast.Name(id=variable)], value=ast.Dict() as made) if (
                "header" in variable.lower() or variable == "_PRIVATE"
            ):
                yield from _keys(made)
            case ast.keyword(arg="headers", value=ast.Dict() as made):
                yield from _keys(made)
            case _:
                pass


def _keys(node: ast.Dict) -> Iterator[str]:
    return (str(key.value) for key in node.keys if isinstance(key, ast.Constant))


def test_cors__exposes_every_header_that_the_code_sets():
    folders = [ROOT / "shared/web/src", ROOT / "shared/inbox/src", *(ROOT / "services").glob("*/src")]
    files = [file for folder in folders for file in folder.rglob("*.py") if file.name not in ASK_OTHERS]
    named = {name.lower() for file in files for name in _headers_set(ast.parse(file.read_text("utf-8")))}
    assert {"etag", "consistency-token", "location", "retry-after", "allow", "accept-encoding"} <= named
    exposed = {name.lower() for name in EXPOSED}
    assert named - READABLE_BY_PAGES - FOR_BROWSERS - OF_REQUESTS - exposed == set()
    assert {"x-request-id", "trace-id"} <= exposed


def test_codes_of_errors__are_on_the_page_of_the_interface():
    page = (ROOT / "docs/api.md").read_text("utf-8").partition("**Codes of a field.**")[2].partition("\n### ")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \| ", page, re.MULTILINE)) == set(ERROR_CODES)


# From here on with a database, since some routes look there before they look at their parameters.


def _all_roles(service: ServiceUnderTest) -> dict[str, str]:
    return service.issuer.bearer(*ROLES, sub=PEOPLE["admin"])


def _needed(service: ServiceUnderTest, operation: Any) -> dict[str, str]:
    good = {"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z", "practitioner_id": str(uuid4())}
    needed = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query" and one.get("required")]
    return {name: good.get(name) or service.known["product_id"][0] for name in needed}


def _known(service: ServiceUnderTest, path: str) -> str:
    """With ids of things that are there, where the seed has some."""
    return re.sub(r"\{([^}]*)\}", lambda found: str((service.known.get(found[1]) or [uuid4()])[0]), path)


def _address(service: ServiceUnderTest, path: str, query: dict[str, str]) -> str:
    return f"{service.url}{_known(service, path)}?" + "&".join(f"{name}={value}" for name, value in query.items())


def _as_cursor(payload: bytes, *, right: bool) -> str:
    signed = b"products\x00" + payload
    digest = hashlib.blake2b(signed, digest_size=6, key=b"booking cursor").digest() if right else b"123456"
    return base64.urlsafe_b64encode(digest + payload).decode().rstrip("=")


PAYLOADS = [b'[["u",5]]', b'[["i",1e400]]', b'[["u",[]]]', b'[["s","a"]]', b"[]", b"{}", b"null", b"[1,2]"]
CURSORS = [
    "MTIzNDU2W1sidSIsNV1d",
    "MTIzNDU2W1siaSIsMWU0MDBdXQ",
    "MTIzNDU2W1sidSIsW11dXQ",
    "x",
    "%F0%9F%98%80",
    "a" * 1024,
    encode_cursor(uuid4(), of="another list"),
    *(_as_cursor(payload, right=right) for payload in PAYLOADS for right in (False, True)),
]


@pytest.mark.servers
def test_cursor__that_cannot_be_ours_is_422_on_every_list(service: ServiceUnderTest):
    every = list(_operations(service.name))
    lists = [one for one in every if any(given["name"] == "cursor" for given in one[2].get("parameters", []))]
    assert lists
    for method, path, operation in lists:
        for cursor in CURSORS:
            address = _address(service, path, _needed(service, operation) | {"cursor": cursor})
            answer = service.client.request(method, address, headers=_all_roles(service))
            told = (answer.status_code, answer.json().get("code"))
            assert told == (422, "invalid_cursor"), (operation["operationId"], cursor, answer.text)


def _switches(schema: dict[str, Any], schemas: dict[str, Any], at: str = "") -> Iterator[str]:
    """Where a body has true or false, or one of some numbers: as JSON pointers, in nested objects too."""
    for name, field in schemas[schema["$ref"].rsplit("/", 1)[1]]["properties"].items():
        for kind in field.get("anyOf", [field]):
            named = schemas[kind["$ref"].rsplit("/", 1)[1]] if "$ref" in kind else kind
            if "properties" in named:
                yield from _switches(kind, schemas, f"{at}/{name}")
            elif named.get("type") == "boolean" or any(isinstance(one, int) for one in named.get("enum", [])):
                yield f"{at}/{name}"


@pytest.mark.servers
def test_switch_in_a_body__of_another_json_type_is_422(service: ServiceUnderTest):
    """A text or a number is no `true`, and `true` is no number, however near they are to each other in Python."""
    schemas = offline(service.name).openapi()["components"]["schemas"]
    for method, path, operation in _operations(service.name):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "$ref" not in content.get("schema", {}):
            continue
        for at in _switches(content["schema"], schemas):
            for value in ("true", "0", 1.0, []) if "fold" in at else ("true", "on", 1, 0, 1.0, []):
                body: Any = value
                for name in reversed(at.split("/")[1:]):
                    body = {name: body}
                address, headers = _address(service, path, {}), _all_roles(service) | {"If-Match": '"1"'}
                answer = service.client.request(method, address, json=body, headers=headers)
                told = [one["code"] for one in answer.json().get("errors", []) if one["pointer"] == at]
                assert (answer.status_code, told) == (422, ["wrong_type"]), (operation["operationId"], at, value, told)


NO_INSTANTS = [
    "20261201", "2026", "0", "1764324000", "2026-12-01T00:00:00", "2026-12-01T00:00:00+07:00", "2026-W49-2T00:00:00Z",
    "2026-12-01%2000:00:00Z", "2026-12-01T23:59:60Z", "0000-01-01T00:00:00Z", "never", "", "%D9%A22026-12-01T00:00:00Z",
]  # fmt: skip
"""As they stand in an address: an unescaped + means a blank."""


@pytest.mark.servers
def test_instant_of_a_query__is_rfc_3339_or_422(service: ServiceUnderTest):
    tried = 0
    for method, path, operation in _operations(service.name):
        for one in operation.get("parameters", []):
            if one["in"] != "query" or not re.search("date-time|2026-12-01T00", str(one["schema"])):
                continue
            for text in NO_INSTANTS:
                address = _address(service, path, _needed(service, operation) | {one["name"]: text})
                answer = service.client.request(method, address, headers=_all_roles(service))
                assert answer.status_code == 422, (operation["operationId"], one["name"], text, answer.text)
                assert [error["pointer"] for error in answer.json()["errors"]] == [f"?{one['name']}"]
                tried += 1
    assert tried or service.name == "notifier"


@pytest.mark.servers
def test_day_as_a_bound__means_the_same_in_sessions_and_calendar(service_of):
    sessions, calendar = service_of("consultation"), service_of("calendar")
    for service, path in (
        (sessions, "/v1/sessions?start=2026-12-01&end=2026-12-02"),
        (calendar, "/v1/calendar/events?start=2026-12-01&end=2026-12-02"),
    ):
        assert service.client.get(f"{service.url}{path}", headers=_all_roles(service)).status_code == 200
        refused = service.client.get(f"{service.url}{path}x", headers=_all_roles(service))
        assert [error["code"] for error in refused.json()["errors"]] == ["invalid_instant"]


@pytest.mark.servers
@pytest.mark.parametrize(
    "value", ["20261128", 1764324000, 1764324000.0, True, None, [], "2026-11-28", "2026-11-28 1:00Z"]
)
def test_instant_of_a_body__is_rfc_3339_or_422(service_of, value: Any):
    service: ServiceUnderTest = service_of("consultation")
    body = {"user_id": str(uuid4()), "completed_at": value}
    answer = service.client.put(
        f"{service.url}/v1/assessments/{uuid4()}", json=body, headers=service.headers("service")
    )
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/completed_at"]


@pytest.mark.servers
@pytest.mark.parametrize("name", ["practitioner_id", "product_id", "session_id"])
def test_filter_that_a_list_does_not_have__never_shows_everybodys(service_of, name: str):
    service: ServiceUnderTest = service_of("checkout")
    answer = service.client.get(f"{service.url}/v1/transactions?{name}={UUID(int=1)}", headers=service.headers("admin"))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_parameter")


GARBAGE = [
    "%00", "%C0%80", "%FF", "%ED%A0%80", "%F0%9F%98%80", "9223372036854775808", "-9223372036854775809", "9" * 400,
    "1e400", "nan", "-0", "", "%20", "a" * 5000, "[object%20Object]", "'%22;--", "..%2F..", "%E2%80%AE", "1,2", "null",
    "00000000-0000-0000-0000-000000000000", "{}", "%2500",
]  # fmt: skip


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_garbage_in_any_parameter__is_never_an_error_of_ours(service: ServiceUnderTest):
    for method, path, operation in _operations(service.name):
        for one in operation.get("parameters", []):
            for garbage in GARBAGE:
                _never_ours(service, method, path, operation, one, garbage)


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_any_bytes_in_any_parameter__are_never_an_error_of_ours(service: ServiceUnderTest):
    targets = [(m, p, o, one) for m, p, o in _operations(service.name) for one in o.get("parameters", [])]

    @given(st.sampled_from(targets), st.binary(max_size=40))
    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    def never(target: Any, raw: bytes) -> None:
        method, path, operation, one = target
        _never_ours(service, method, path, operation, one, "".join(f"%{byte:02X}" for byte in raw))

    never()


def _never_ours(service: ServiceUnderTest, method: str, path: str, operation: Any, one: Any, garbage: str) -> None:  # noqa: PLR0917
    if operation["operationId"] == "put_erasure":
        return  # what is erased is gone for the other tests
    query, headers = _needed(service, operation), dict[str, Any](_all_roles(service))
    content: dict[str, Any] = {"json": {}} if method in {"post", "put"} else {}
    match one["in"]:
        case "query":
            query[one["name"]] = garbage
        case "path":
            path = path.replace(f"{{{one['name']}}}", garbage)
        case _:  # the client itself refuses control characters in a header
            raw = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), garbage.encode())
            headers[one["name"]] = re.sub(rb"[\x00-\x20\x7f]", b"?", raw) or b"?"
    # As a stream: one of them has no end.
    with service.client.stream(method, _address(service, path, query), headers=headers, **content) as answer:
        assert answer.status_code < 500, (operation["operationId"], one["name"], garbage[:50])
