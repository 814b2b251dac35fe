"""`python -m booking_contracts.registry URL [--prefix P] [--check] [--deadline SECONDS]`: the schemas of every version
of every type into a schema registry, for tools that look there. Nothing of ours needs one: a record names its type.

The registry speaks Confluent's API (https://docs.confluent.io/platform/current/schema-registry/develop/api.html), as
Karapace and Apicurio do. A subject is `<topic>-<ce_type>`, TopicRecordNameStrategy's form with the whole type as record
name, its version included: another version of a type is another subject, and within a subject fields are only added.
The schemas are a reader's, open; each subject's compatibility is FORWARD_TRANSITIVE, which is our promise: who reads by
an older schema reads what is written by a newer one. What is there already is left alone, so it may be run at any time.
Name and password come by SCHEMA_REGISTRY_AUTH (`name:password`).
"""

import argparse
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from booking_contracts.topics import TOPICS, full_type

COMPATIBILITY = "FORWARD_TRANSITIVE"
_SCHEMAS = Path(__file__).parent / "schemas"
_MEDIA = "application/vnd.schemaregistry.v1+json"
_ANSWER_SECONDS, _PAUSE_SECONDS = 10.0, 0.5
_NOT_THERE = {40401, 40402, 40403, 40408}
"""Confluent's codes for a subject, a version, a schema or a subject's compatibility that the registry lacks."""


class RegistryError(Exception):
    """The registry can't be reached in time, or refuses; the message is a sentence for whoever runs this."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One version of one type, under the name that a registry knows it by."""

    name: str
    schema: str


def subjects(prefix: str = "") -> Iterator[Subject]:
    """Every version of every type, in the catalogue's order; `prefix` is a deployment's (TOPIC_PREFIX)."""
    for topic in TOPICS:
        for event in topic.events:
            for version in range(1, event.TYPE_VERSION + 1):
                text = (_SCHEMAS / f"{event.TYPE}.v{version}.json").read_text("utf-8")
                yield Subject(f"{prefix}{topic.name}-{full_type(event.TYPE, version)}", json.dumps(json.loads(text)))


class Registry:
    """A registry by its URL; everything that is done with it ends within `deadline` seconds, or is a RegistryError."""

    def __init__(self, url: str, *, deadline: float = 60.0, auth: str | None = None) -> None:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise RegistryError(f"{url} is no address of a registry: it begins with http:// or https://")
        self._url, self._until = url.rstrip("/"), time.monotonic() + deadline
        self._headers = {"Content-Type": _MEDIA, "Accept": _MEDIA}
        if auth:
            self._headers["Authorization"] = f"Basic {base64.b64encode(auth.encode()).decode()}"

    def has(self, subject: Subject) -> bool:
        """Whether this very schema is among the subject's versions."""
        return self._ask("POST", f"/subjects/{_path(subject)}", _body(subject)) is not None

    def register(self, subject: Subject) -> int:
        """The schema's id in the registry, which is new if it had none."""
        answer = self._ask("POST", f"/subjects/{_path(subject)}/versions", _body(subject))
        if answer is None:
            raise RegistryError(f"{subject.name}: the registry neither took nor refused it")
        return int(answer["id"])

    def compatibility(self, subject: Subject) -> str | None:
        """The subject's own level, None where it has the registry's."""
        answer = self._ask("GET", f"/config/{_path(subject)}")
        return None if answer is None else str(answer["compatibilityLevel"])

    def promise(self, subject: Subject) -> None:
        """Hold the subject to what readers were promised."""
        self._ask("PUT", f"/config/{_path(subject)}", {"compatibility": COMPATIBILITY})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The answer; None for what isn't there. Asked again as long as nobody answers, or a server error does."""
        while True:
            left = self._until - time.monotonic()
            if left <= 0:
                raise RegistryError(f"{self._url} did not answer in time")
            try:
                return self._once(method, path, body, min(left, _ANSWER_SECONDS))
            except _Again as why:
                if self._until - time.monotonic() < _PAUSE_SECONDS:
                    raise RegistryError(f"{self._url} can't be used: {why}") from None
                time.sleep(_PAUSE_SECONDS)

    def _once(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> dict[str, Any] | None:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers, method=method)  # noqa: S310 - looked at
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 - looked at
                return _json(answer.read(), self._url)
        except urllib.error.HTTPError as error:
            said = _said(error)
            if error.code >= 500:
                raise _Again(f"{error.code} {said.get('message', error.reason)}") from None
            if error.code == 404 and said.get("error_code") in _NOT_THERE:
                return None
            raise RegistryError(_why(error.code, said, method, path)) from None
        except (OSError, HTTPException) as error:
            raise _Again(str(getattr(error, "reason", error)) or type(error).__name__) from None


class _Again(Exception):
    """Nobody answered, or a server error did."""


def export(registry: Registry, prefix: str = "") -> Iterator[tuple[Subject, Literal["registered", "there"]]]:
    """Each subject once it is in the registry with its schema and level. RegistryError at the first that can't be."""
    for subject in subjects(prefix):
        if registry.compatibility(subject) != COMPATIBILITY:
            registry.promise(subject)
        if registry.has(subject):
            yield subject, "there"
        else:
            registry.register(subject)
            yield subject, "registered"


def _body(subject: Subject) -> dict[str, Any]:
    return {"schemaType": "JSON", "schema": subject.schema}


def _path(subject: Subject) -> str:
    return quote(subject.name, safe="")


def _json(text: bytes, url: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RegistryError(f"{url} answers, but not as a schema registry does")
    return found  # pyright: ignore[reportUnknownVariableType] - JSON


def _said(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        found: Any = json.loads(error.read())
    except (ValueError, OSError, HTTPException):
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON


def _why(code: int, said: dict[str, Any], method: str, path: str) -> str:
    match code:
        case 401 | 403:
            return f"the registry refuses us ({code}): set SCHEMA_REGISTRY_AUTH to name:password of one who may write"
        case 404:
            return f"there is no schema registry at this address: {method} {path} is 404"
        case 409:
            return f"{path}: the registry finds it incompatible with what it has: {said.get('message', 'no reason')}"
        case _:
            return f"{method} {path}: {code} {said.get('message', 'no reason')}"


def main(arguments: list[str] | None = None) -> int:
    """0 if all is in the registry, 1 with a sentence on stderr if not, 2 misused."""
    parser = argparse.ArgumentParser(
        prog="python -m booking_contracts.registry",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", help="such as https://registry.example:8081")
    parser.add_argument("--prefix", default="", help="before each topic's name, the deployment's TOPIC_PREFIX")
    parser.add_argument("--check", action="store_true", help="register nothing; exit 1 if something is missing")
    parser.add_argument("--deadline", type=float, default=60.0, help="seconds for all of it [default: 60]")
    given = parser.parse_args(arguments)
    try:
        registry = Registry(given.url, deadline=given.deadline, auth=os.environ.get("SCHEMA_REGISTRY_AUTH"))
        if given.check:
            missing = [one.name for one in subjects(given.prefix) if not registry.has(one)]
            sys.stdout.writelines(f"missing {name}\n" for name in missing)
            return 1 if missing else 0
        counted = {"registered": 0, "there": 0}
        for subject, what in export(registry, given.prefix):
            counted[what] += 1
            sys.stdout.write(f"{what} {subject.name}\n")
    except RegistryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{counted['registered']} registered, {counted['there']} were there\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
