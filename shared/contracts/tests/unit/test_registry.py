"""The export to a schema registry, against a strict stand-in that speaks the documented API over a real socket.

It refuses what the documentation lets a registry refuse: another media type, a body without schema, a schema that is
none, a level that is none, a change that the subject's level forbids; and it answers 404 with Confluent's codes.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from booking_contracts.generate import PACKAGE
from booking_contracts.registry import COMPATIBILITY, main, subjects

_MEDIA = "application/vnd.schemaregistry.v1+json"
_LEVELS = {f"{word}{more}" for word in ("BACKWARD", "FORWARD", "FULL") for more in ("", "_TRANSITIVE")} | {"NONE"}
ALL = len(list(subjects()))


class Refused(Exception):
    """An answer that is none of 2xx."""


class StandIn:
    """Subjects with their schemas and levels."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Any]] = {}
        self.levels: dict[str, str] = {}
        self.ids: list[str] = []
        self.auth: str | None = None
        self.failing = 0
        self.asked: list[str] = []

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Any:
        self.asked.append(f"{method} {path}")
        if self.failing:
            self.failing -= 1
            raise Refused(503, 50003, "Error while forwarding the request to the primary")
        if self.auth is not None and headers.get("Authorization") != f"Basic {self.auth}":
            raise Refused(401, 40101, "Unauthorized")
        if method != "GET" and headers.get("Content-Type") != _MEDIA:
            raise Refused(415, 415, "HTTP 415 Unsupported Media Type")
        told = json.loads(body) if body else {}
        match (method, [unquote(part) for part in path.split("/")[1:]]):
            case "GET", ["config", subject]:
                return self._level(subject)
            case "PUT", ["config", subject]:
                return self._set_level(subject, told)
            case "POST", ["subjects", subject]:
                return self._look_up(subject, self._schema(told))
            case "POST", ["subjects", subject, "versions"]:
                return self._register(subject, self._schema(told))
            case _:
                raise Refused(404, 404, "HTTP 404 Not Found")

    def _level(self, subject: str) -> Any:
        if subject not in self.levels:
            raise Refused(404, 40408, f"Subject '{subject}' does not have subject-level compatibility configured")
        return {"compatibilityLevel": self.levels[subject]}

    def _set_level(self, subject: str, told: Any) -> Any:
        if told.get("compatibility") not in _LEVELS:
            raise Refused(422, 42203, "Invalid compatibility level")
        self.levels[subject] = told["compatibility"]
        return {"compatibility": told["compatibility"]}

    def _look_up(self, subject: str, schema: Any) -> Any:
        if subject not in self.versions:
            raise Refused(404, 40401, f"Subject '{subject}' not found.")
        if schema not in self.versions[subject]:
            raise Refused(404, 40403, "Schema not found")
        return {"subject": subject, "version": self.versions[subject].index(schema) + 1, **self._id(schema)}

    def _register(self, subject: str, schema: Any) -> Any:
        there = self.versions.setdefault(subject, [])
        if schema not in there:
            self._compatible(subject, schema)
            there.append(schema)
        return self._id(schema)

    def _schema(self, told: dict[str, Any]) -> Any:
        assert told.keys() <= {"schema", "schemaType", "references"}
        if told.get("schemaType") != "JSON":
            raise Refused(422, 42201, "Either the input schema or one its references is invalid: no Avro")
        schema = json.loads(told["schema"])
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise Refused(422, 42201, f"Invalid schema: {error.message}") from None
        return schema

    def _id(self, schema: Any) -> dict[str, int]:
        text = json.dumps(schema, sort_keys=True)
        if text not in self.ids:
            self.ids.append(text)
        return {"id": self.ids.index(text) + 1}

    def _compatible(self, subject: str, new: Any) -> None:
        """FORWARD: who reads by an older schema reads what is written by the new one. Of open schemas a field may be
        added, and none of the needed ones go."""
        level = self.levels.get(subject, "BACKWARD")
        for old in self.versions[subject]:
            gone = set(old.get("required", ())) - set(new.get("required", ()))
            if level.startswith("FORWARD") and gone:
                raise Refused(409, 409, f"Schema being registered is incompatible with an earlier schema: {gone}")
            if level.startswith("BACKWARD") and new["properties"].keys() - old["properties"].keys():
                raise Refused(409, 409, "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL")


@contextmanager
def served(stand_in: StandIn) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                code, told = 200, stand_in.answer(self.command, self.path, self.headers, body)
            except Refused as refused:
                code, number, message = refused.args
                told = {"error_code": number, "message": message}
            answer = json.dumps(told).encode()
            self.send_response(code)
            self.send_header("Content-Type", _MEDIA)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def registry() -> StandIn:
    return StandIn()


def test_empty_registry__gets_every_version_of_every_type_and_a_second_run_changes_nothing(registry: StandIn, capsys):
    with served(registry) as url:
        assert main([url]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"{ALL} registered, 0 were there"
        files = {json.loads(path.read_text("utf-8"))["$id"] for path in (PACKAGE / "schemas").iterdir()}
        assert {schema["$id"] for versions in registry.versions.values() for schema in versions} == files
        paid = [name for name in registry.versions if ".TransactionPaid." in name]
        assert sorted(paid) == [
            f"booking.checkout.transactions.v1-com.booking.checkout.TransactionPaid.v{version}" for version in (1, 2)
        ]
        assert set(registry.levels.values()) == {COMPATIBILITY}
        before = json.dumps([registry.versions, registry.levels])
        registry.asked.clear()
        assert main([url]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"0 registered, {ALL} were there"
        assert json.dumps([registry.versions, registry.levels]) == before
        assert not [one for one in registry.asked if one.startswith("PUT") or one.endswith("/versions")]
        assert main([url, "--check"]) == 0


def test_prefix__is_in_the_subject(registry: StandIn):
    with served(registry) as url:
        assert main([url, "--prefix", "eu/1."]) == 0
    assert all(name.startswith("eu/1.booking.") for name in registry.versions)


def test_check__registers_nothing_and_names_what_is_missing(registry: StandIn, capsys):
    with served(registry) as url:
        assert main([url, "--check"]) == 1
    assert not registry.versions
    assert len(capsys.readouterr().out.splitlines()) == ALL


def test_field_added__is_a_second_version_of_its_subject(registry: StandIn, capsys):
    first = next(subjects())
    older = json.loads(first.schema)
    del older["properties"]["auto_start"]
    older["required"].remove("auto_start")
    registry.versions[first.name] = [older]
    registry.levels[first.name] = "BACKWARD"
    with served(registry) as url:
        assert main([url]) == 0
    assert len(registry.versions[first.name]) == 2
    assert capsys.readouterr().out.splitlines()[-1] == f"{ALL} registered, 0 were there"


def test_incompatible__is_said_with_the_registry_s_reason(registry: StandIn, capsys):
    first = next(subjects())
    other = json.loads(first.schema)
    other["required"].append("room")
    registry.versions[first.name] = [other]
    with served(registry) as url:
        assert main([url]) == 1
    said = capsys.readouterr().err
    assert re.search(r"TransactionCreated\.v1/versions: the registry finds it incompatible .*room", said)


def test_password__is_asked_for_and_given(registry: StandIn, capsys, monkeypatch):
    registry.auth = base64.b64encode(b"booking:secret").decode()
    with served(registry) as url:
        assert main([url]) == 1
        assert "SCHEMA_REGISTRY_AUTH" in capsys.readouterr().err
        monkeypatch.setenv("SCHEMA_REGISTRY_AUTH", "booking:secret")
        assert main([url, "--check"]) == 1
        assert capsys.readouterr().err == ""


def test_server_error__is_waited_for(registry: StandIn, monkeypatch):
    monkeypatch.setattr("booking_contracts.registry._PAUSE_SECONDS", 0.01)
    registry.failing = 3
    with served(registry) as url:
        assert main([url]) == 0
    assert len(registry.versions) == ALL


def test_server_error_that_stays__ends_at_the_deadline(registry: StandIn, capsys):
    registry.failing = 10**6
    with served(registry) as url:
        assert main([url, "--deadline", "0.2"]) == 1
    assert "can't be used: 503 Error while forwarding" in capsys.readouterr().err


def test_nobody_there__ends_at_the_deadline(capsys):
    assert main(["http://127.0.0.1:9", "--deadline", "0.2"]) == 1
    assert "http://127.0.0.1:9 can't be used: " in capsys.readouterr().err


def test_something_else_there__is_said(registry: StandIn, capsys):
    with served(registry) as url:
        assert main([url + "/other"]) == 1
    assert "there is no schema registry at this address" in capsys.readouterr().err


def test_no_address__is_said(capsys):
    assert main(["registry:8081"]) == 1
    assert "is no address of a registry" in capsys.readouterr().err
