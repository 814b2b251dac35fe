"""What every event is made of: kinds of value with one spelling each, a type with a version and strict fields, one
compact JSON form, and one JSON Schema as its writer keeps it: closed, and never null."""

import json
import re
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, cast, dataclass_transform

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""As we write it."""

UUID_IN_ANY_CASE = UUID_PATTERN.replace("a-f", "a-fA-F")
"""As others may write it (RFC 9562 §4): Swift and SQL Server write capitals."""


def _utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:  # 0001-01-01T00:00+14:00 lies before the first year there is
        raise ValueError("the instant lies outside of the years 1 to 9999") from error


def _whole_minute(local: time) -> time:
    if local.second or local.microsecond or local.tzinfo is not None:
        raise ValueError("a local time is HH:MM, without seconds and zone")
    return local


def _hh_mm(local: time) -> str:
    return f"{local.hour:02}:{local.minute:02}"


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment, always in UTC and written with `Z` (RFC 3339)."""

LocalTime = Annotated[
    time,
    AfterValidator(_whole_minute),
    PlainSerializer(_hh_mm, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
"""A wall clock's `HH:MM`, without zone: the zone stands beside it."""

Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""A short name made for machines: a provider, a template, an error code."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
"""Words for people that may be public: a product's name, a profile's bio. Never free text of a session (E4)."""

ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""An IANA zone name such as `Asia/Jakarta`. Whether it exists was checked when the event was decided."""

Link = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
"""An address in the canonical form that product.md S3 describes."""

Minutes = Annotated[int, Field(ge=0, le=10_000_000)]
ScheduleVersion = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""0 before the first schedule, then +1 by every change of it: the iCalendar SEQUENCE and the fence of N4."""

Attempt = Annotated[int, Field(ge=0, le=2**31 - 1)]

ProductKind = Literal["verification", "counseling"]
Channel = Literal["email", "whatsapp"]

RECIPIENT = re.compile(f"^(admins|{UUID_PATTERN})$")
Recipient = Annotated[str, StringConstraints(pattern=RECIPIENT.pattern)]
"""A person's id, or `admins`: one mail to all of the setting `admin_emails`."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class _Frozen(type(BaseModel)):
    """Tells the type checker of `frozen`: a subclass may then narrow what its base declares."""


class Part(BaseModel, metaclass=_Frozen):
    """A value inside an event. Frozen and strict; a field that it does not declare is refused when it is made."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", ser_json_inf_nan="strings")


class Event(Part):
    """A fact that happened, in the words of the published language.

    A producer makes it by its constructor, which refuses a wrong type and a field that does not exist.
    A consumer reads it with `from_json`, which ignores fields it does not know: a newer producer may add some.
    """

    TYPE: ClassVar[str] = ""
    TYPE_VERSION: ClassVar[int] = 1
    NAMESPACE: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "TYPE" not in cls.__dict__:
            cls.TYPE = cls.__name__

    @classmethod
    def full_type(cls) -> str:
        """The `ce_type`: namespace, name and major version."""
        return f"{cls.NAMESPACE}.{cls.TYPE}.v{cls.TYPE_VERSION}"

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Read what a producer wrote; pydantic's ValidationError if a known field is missing or wrong."""
        return cls.model_validate_json(data, extra="ignore")

    def to_json(self) -> str:
        """Compact JSON, absent fields left out. ValueError for text that PostgreSQL and others cannot hold (NUL)."""
        text = self.model_dump_json(exclude_none=True)
        # The escape may also be an escaped backslash before "u0000", hence the exact look on suspicion only.
        if "\\u0000" in text and has_nul(json.loads(text)):
            raise ValueError(f"{self.TYPE} holds a NUL character")
        return text


def has_nul(value: object) -> bool:
    """Whether any text inside this JSON value, a key included, holds the character U+0000."""
    match value:
        case str():
            return "\x00" in value
        case list():
            return any(has_nul(item) for item in cast("list[object]", value))
        case dict():
            return any(has_nul(key) or has_nul(item) for key, item in cast("dict[str, object]", value).items())
        case _:
            return False


DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]
_SCHEMAS = Path(__file__).parent / "schemas"


def schema_uri(name: str, version: int) -> str:
    """CloudEvents' `dataschema`, which records do not carry: the last two words of `ce_type` name it.

    It is the `$id` of the schema file of this type and major version."""
    return f"https://schemas.booking.example/{name}.v{version}.json"


def schema_of(event: type[Event]) -> Schema:
    """The closed schema: what a writer of this release may write, each part spelled out where it is used."""
    raw = event.model_json_schema()
    return _whole(event, _plain(raw, raw.pop("$defs", {})))


def earlier_schema(event: type[Event], version: int) -> Schema:
    """A reader's schema of a version before today's, as it was published, each part spelled out where it is used."""
    schema: Schema = json.loads((_SCHEMAS / f"{event.TYPE}.v{version}.json").read_text("utf-8"))
    parts = schema.pop("$defs", {})

    def whole(node: Any) -> Any:
        match node:
            case {"$ref": str(reference), **beside}:
                return {**whole(parts[reference.removeprefix("#/$defs/")]), **beside}
            case dict():
                return {name: whole(value) for name, value in cast("Schema", node).items()}
            case _:
                return node

    return whole(schema)


def parted_schema_of(event: type[Event]) -> tuple[Schema, dict[str, Schema]]:
    """The same schema, with parts that events share (`Money`, `Product`) as `$ref`s to `#/$defs/<title>`; and those
    parts by their titles."""
    raw = event.model_json_schema()
    definitions = cast("dict[str, Schema]", raw.pop("$defs", {}))
    parts = {part["title"]: _part(part, definitions) for part in definitions.values()}
    return _whole(event, _plain(raw, definitions, parted=True)), parts


def _whole(event: type[Event], body: Schema) -> Schema:
    words = " ".join((event.__doc__ or "").split())
    about = {"$schema": DIALECT, "$id": schema_uri(event.TYPE, event.TYPE_VERSION), "title": event.TYPE}
    return {**about, **body, "description": words}


def _part(part: Schema, definitions: dict[str, Schema]) -> Schema:
    words = {"description": " ".join(part["description"].split())} if "description" in part else {}
    return {"title": part["title"], **words, **_plain(part, definitions, parted=True)}


def opened(schema: Any) -> Any:
    """The schema as a reader applies it: fields that it does not know are allowed, at every depth."""
    match schema:
        case dict():
            items = cast("Schema", schema).items()
            return {name: opened(value) for name, value in items if name != "additionalProperties"}
        case list():
            return [opened(item) for item in cast("list[Any]", schema)]
        case _:
            return schema


def _plain(node: Schema, definitions: dict[str, Schema], *, parted: bool = False) -> Schema:
    """Without pydantic's titles and defaults, without the null that a writer leaves out, and without references unless
    it is `parted`."""
    if "$ref" in node:
        part = definitions[node["$ref"].rpartition("/")[2]]
        return {"$ref": f"#/$defs/{part['title']}"} if parted else _plain(part, definitions)
    if "anyOf" in node:
        (only,) = [option for option in node["anyOf"] if option != {"type": "null"}]
        return _plain(only, definitions, parted=parted)
    plain = {name: value for name, value in node.items() if name not in {"title", "default", "description"}}
    if plain.get("type") == "object":
        properties = cast("dict[str, Schema]", plain.get("properties", {}))
        plain["properties"] = {name: _plain(value, definitions, parted=parted) for name, value in properties.items()}
        plain["additionalProperties"] = False
    if "items" in plain:
        plain["items"] = _plain(plain["items"], definitions, parted=parted)
    return plain
