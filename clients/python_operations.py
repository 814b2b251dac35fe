"""The operations of an OpenAPI document as methods of a typed Python class, and its problems as exceptions.

Generators of whole clients make classes of each model, that refuse a value of an enumeration which is newer than they
are; here JSON stays what it is, and only its types are told.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from tests.api.contract.documents import Json, operations

_HEADER = "# Generated of docs/openapi.json by `make generate`.\n"
_OPERATORS_HEADER = "# Generated of docs/openapi-operators.json by `make generate`.\n"
_PROBLEM = "application/problem+json"
_OURS = {"Idempotency-Key", "Consistency-Token"}
"""Headers that the client sends by itself."""


def caller(document: Json) -> str:
    """The module of the class with a method for each operation."""
    common, constants, methods = _parts(document)
    return f'''{_HEADER}
"""Every operation by its name, as one caller calls it."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from typing import Any, Literal, overload
from uuid import UUID

import httpx2

from booking_client import models
from booking_client.answers import Answer, NotModified, Versioned
from booking_client.calls import Calls, Operation
from booking_client.pages import Pages

{constants}


class Caller(Calls):
    """One person, or one service, as `Booking.caller` makes it. Each method sends one operation.

    Raises Unanswered, Unexpected, or Refused, which has a class for each code in `booking_client.problems`.

{_wrapped(f"Whatever is called may be refused as {_codes(common)}.", indent=4)}
    """

{methods}
'''


def operator(document: Json) -> str:
    """As above, of what operators call; what a provider calls with its own proof is nobody's to call."""
    common, constants, methods = _parts(document)
    return f'''{_OPERATORS_HEADER}
"""What who runs the system calls, by its name."""

from typing import Any
from uuid import UUID

from booking_client import operator_models as models
from booking_client.answers import Answer, Versioned
from booking_client.calls import Calls, Operation, Service
from booking_client.pages import Pages

{constants}


class Operator(Calls):
    """An administrator, as `Booking.operator` makes one. What several services have is asked of the one that is named.

    Raises what a Caller does. Codes that only operators meet have no class of their own: go by `Refused.code`.

{_wrapped(f"Whatever is called may be refused as {_codes(common)}.", indent=4)}
    """

{methods}
'''


def _parts(document: Json) -> tuple[set[str], str, str]:
    """Codes that most operations have, the Operations, and their methods; but for what providers call."""
    ways = [
        _Operation(document, path, method, operation)
        for path, method, operation in operations(document)
        if not (operation["tags"] and operation["tags"][0] in _PROVIDERS)
    ]
    ways.sort(key=lambda way: way.name)
    by_code = Counter(code for way in ways for code in way.codes)
    common = {code for code, times in by_code.items() if times > len(ways) / 2}
    constants = "\n".join(way.constant() for way in ways)
    methods = "\n\n".join(method for way in ways for method in way.methods(common))
    return common, constants, methods


_PROVIDERS = {"payments", "whatsapp"}
"""The tags of what providers call."""


def problems(document: Json) -> str:
    """The module of an exception for each code, and of `refusal`, which chooses among them."""
    by_code: dict[str, list[str]] = {}
    for name, schema in document["components"]["schemas"].items():
        if code := schema.get("properties", {}).get("code", {}).get("const"):
            by_code.setdefault(code, []).append(name)
    classes = "\n\n\n".join(_exception(code, names) for code, names in sorted(by_code.items()))
    table = "\n".join(f'    "{code}": {_class(code)},' for code in sorted(by_code))
    return f'''{_HEADER}
"""Why calls are refused: a class for each code."""

from collections.abc import Mapping
from typing import Any

import httpx2

from booking_client import models
from booking_client.refusals import Refused


{classes}


BY_CODE: Mapping[str, type[Refused[Any]]] = {{
{table}
}}


def refusal(problem: Mapping[str, Any], headers: httpx2.Headers) -> Refused[Any]:
    """Of its code's class; of Refused itself where the code is newer than this client."""
    return BY_CODE.get(problem["code"], Refused)(problem, headers)
'''


def _exception(code: str, names: list[str]) -> str:
    kinds = " | ".join(f"models.{name}" for name in sorted(names))
    return f'class {_class(code)}(Refused[{kinds}]):\n    """`{code}`."""'


def _class(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))


class _Operation:
    """One operation, and the Python of it."""

    def __init__(self, document: Json, path: str, method: str, operation: Json) -> None:
        self.name: str = operation["operationId"]
        self._path, self._verb, self._operation = path, method, operation
        self._services = [name for server in document["paths"][path]["servers"] for name in server["variables"]]
        parameters: list[Json] = operation.get("parameters", [])
        self._taken = {one["name"] for one in parameters}
        self._in_path = [one for one in parameters if one["in"] == "path"]
        self._query = [one for one in parameters if one["in"] == "query"]
        self._headers = [one for one in parameters if one["in"] == "header" and one["name"] not in _OURS]
        content: Json = operation.get("requestBody", {}).get("content", {})
        self._body = _type(content["application/json"]["schema"]) if content else None
        self._body_needed = operation.get("requestBody", {}).get("required", False)
        self._success = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        self._kind = "Versioned" if all("ETag" in one.get("headers", {}) for one in self._success) else "Answer"
        self._page = _page(document, self._success)
        problems = [
            answer["content"].get(_PROBLEM) for answer in operation["responses"].values() if "content" in answer
        ]
        self.codes: set[str] = {code for one in problems if one for code in one["schema"]["discriminator"]["mapping"]}

    @property
    def _several(self) -> bool:
        """Whether the caller says of which service it is asked."""
        return len(self._services) > 1

    def constant(self) -> str:
        """The Operation that is sent."""
        words = [f'"{self.name}"', f'"{self._verb.upper()}"', f'"{self._path}"', f'"{self._services[0]}"']
        words += ["keyed=True"] if "Idempotency-Key" in self._taken else []
        words += ["consistent=True"] if "Consistency-Token" in self._taken else []
        words += [] if self._operation["security"] else ["bearer=False"]
        return f"_{self.name.upper()} = Operation({', '.join(words)})"

    def methods(self, common: AbstractSet[str]) -> Iterator[str]:
        """Its method, that tells its own codes; two overloads before it where a condition may be answered by 304."""
        told = self._told(common)
        if "text/event-stream" in self._success[0].get("content", {}):
            yield self._streaming(told)
        elif self._page:
            yield self._paging(told)
        else:
            yield from self._asking(told)

    def _asking(self, told: str) -> Iterator[str]:
        answer = f"{self._kind}[{self._answered()}]"
        call = f"return await self._send({self._sent()})"
        unchanged = "304" in self._operation["responses"]
        condition = "if_none_match: str | None = None"
        signature = self._signature()
        if unchanged:
            assert condition in signature
            plain = signature.replace(condition, "if_none_match: None = None")
            asked = signature.replace(condition, "if_none_match: str | None")
            yield f"    @overload\n    async def {self.name}({plain}) -> {answer}: ..."
            answer += " | NotModified"
            yield f"    @overload\n    async def {self.name}({asked}) -> {answer}: ..."
        yield f"    async def {self.name}({signature}) -> {answer}:\n{told}\n        {call}"

    def _paging(self, told: str) -> str:
        item, page = self._page or ("", "")
        self._headers = [one for one in self._headers if one["name"] != "If-None-Match"]
        kind = f"Pages[{item}, {page}]"
        read = "async def read(cursor: str | None) -> Answer[Any]:"
        call = f"{read}\n            return await self._send({self._sent()})\n\n        return Pages(read, cursor)"
        return f"    def {self.name}({self._signature()}) -> {kind}:\n{told}\n\n        {call}"

    def _streaming(self, told: str) -> str:
        kind = "AsyncIterator[httpx2.ServerSentEvent]"
        call = f"return self._stream({self._sent()})"
        return f"    def {self.name}({self._signature()}) -> {kind}:\n{told}\n        {call}"

    def _signature(self) -> str:
        words = [
            "self",
            *(["service: Service"] if self._several else []),
            *(f"{_name(one)}: {_parameter(one['schema'])}" for one in self._in_path),
        ]
        if self._body:
            words.append(f"body: {self._body}" + ("" if self._body_needed else " | None = None"))
        named = sorted([*self._query, *self._headers], key=lambda one: not one.get("required"))
        told = [_keyword(one) for one in named]
        told += ["idempotency_key: str | None = None"] if "Idempotency-Key" in self._taken else []
        return ", ".join([*words, *(["*", *told] if told else [])])

    def _sent(self) -> str:
        words = [f"_{self.name.upper()}" + (".at(service)" if self._several else "")]
        if self._in_path:
            words.append(_table({one["name"]: _name(one) for one in self._in_path}))
        if self._query:
            words.append("query=" + _table({one["name"]: _name(one) for one in self._query}))
        if self._headers:
            words.append("headers=" + _table({one["name"]: _name(one) for one in self._headers}))
        words += ["key=idempotency_key"] if "Idempotency-Key" in self._taken else []
        words += ["body=body"] if self._body else []
        return ", ".join(words)

    def _answered(self) -> str:
        bodies = [content for one in self._success for content in one.get("content", {}).values()]
        kinds = {_type(content.get("schema", {})) for content in bodies}
        return " | ".join(sorted(kinds)) or "None"

    def _told(self, common: AbstractSet[str]) -> str:
        said = " ".join(self._operation["description"].split())
        own = _codes(self.codes - common)
        refusals = f"\n\n{_wrapped(f'Also refused as {own}.')}\n        " if own else ""
        return f'        """{_wrapped(said).lstrip()}{refusals}"""'


def _codes(codes: AbstractSet[str]) -> str:
    return ", ".join(f"`{code}`" for code in sorted(codes))


def _wrapped(text: str, indent: int = 8) -> str:
    """In lines of 117 characters, so that the quotes beside them have their place."""
    return textwrap.fill(text, 117, initial_indent=" " * indent, subsequent_indent=" " * indent)


def _page(document: Json, success: list[Json]) -> tuple[str, str] | None:
    """The types of the item and of the page, where an answer is one."""
    reference = success[0].get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    schema = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
    items = schema.get("properties", {}).get("items")
    if not items or "next_cursor" not in schema["properties"]:
        return None
    return _type(items["items"]), _type({"$ref": reference})


def _name(parameter: Json) -> str:
    return parameter["name"].lower().replace("-", "_")


def _keyword(parameter: Json) -> str:
    kind = _parameter(parameter["schema"])
    return f"{_name(parameter)}: {kind}" if parameter.get("required") else f"{_name(parameter)}: {kind} | None = None"


def _table(entries: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in entries.items()) + "}"


def _parameter(schema: Json) -> str:
    """What a parameter may be: besides its text also what Python has for it. None is leaving it out."""
    if "anyOf" in schema:
        kinds = [_parameter(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " | ".join(dict.fromkeys(kind for some in kinds for kind in some.split(" | ")))
    if schema.get("type") == "array":
        return f"Sequence[{_parameter(schema['items'])}]"
    return _PARAMETERS.get(schema.get("format", "")) or _type(schema)


_PARAMETERS = {"uuid": "UUID | str", "date-time": "datetime | str", "date": "date | str"}
_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


def _type(schema: Json) -> str:
    """Of a schema that is named, or one of JSON's own."""
    if reference := schema.get("$ref"):
        return f"models.{reference.rpartition('/')[2]}"
    if choice := schema.get("anyOf"):
        return " | ".join(_type(one) for one in choice if one.get("type") != "null")
    if choice := schema.get("enum"):
        return f"Literal[{', '.join(map(_literal, choice))}]"
    if "const" in schema:
        return f"Literal[{_literal(schema['const'])}]"
    return _TYPES[schema["type"]] if schema else "str"


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
