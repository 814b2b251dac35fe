"""What every event has: a type with a version, strict fields, one compact JSON form."""

import json
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
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
