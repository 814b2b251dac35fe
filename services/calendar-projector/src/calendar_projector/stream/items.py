"""What the stream tells: a type for each event of Transactions and sessions, and three words of the stream's own.

An item of an event says what a webhook says (`type`, `timestamp`, `version`, `data`), so one reader takes both. Who may
see it is who may see the thing itself (E1): a Transaction's its member and admins, a session's both parties and admins.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Annotated, Any, Literal, Union, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel, WithJsonSchema, create_model

from booking_contracts.corpus import golden
from booking_contracts.decode import Decoded, decode
from booking_contracts.envelope import rfc3339
from booking_contracts.event import Event, Instant, ProductKind, earlier_schema, opened, schema_of
from booking_contracts.glossary import described
from booking_contracts.sessions import CancelReason, FailReason, PractitionerChanged
from booking_contracts.topics import SESSIONS, TRANSACTIONS, full_type
from booking_contracts.transactions import TransactionEvent
from booking_web.consistency import ConsistencyToken

_TOKEN_OF = {TRANSACTIONS.name: ("checkout", "transaction"), SESSIONS.name: ("consultation", "session")}


@dataclass(frozen=True, slots=True)
class Told:
    """An item's text, and who sees it: these people, and admins where `admins` is set."""

    event_id: UUID
    item: str
    member_id: UUID | None
    practitioner_id: UUID | None
    admins: bool


def told_of(record: Decoded) -> list[Told]:
    """What a record tells, and whom; a practitioner whom the session left learns that and nothing else (E1)."""
    event, meta = record.event, record.meta
    if isinstance(event, TransactionEvent):
        return [Told(meta.id, _item(record, event), event.user_id, None, admins=True)]
    parties: Any = event
    told = [Told(meta.id, _item(record, parties), parties.user_id, parties.practitioner_id, admins=True)]
    if isinstance(event, PractitionerChanged):
        left = _text("session_left", record, data={"session_id": meta.subject})
        told.append(Told(meta.id, left, None, event.previous_practitioner_id, admins=False))
    return told


def _item(record: Decoded, event: Event) -> str:
    service, kind = _TOKEN_OF[record.record.topic]
    token = ConsistencyToken(service, kind, record.meta.subject, record.meta.sequence or 0).encode()
    return _text(event.full_type(), record, consistency_token=token, data=json.loads(event.to_json()))


def _text(type_: str, record: Decoded, **more: Any) -> str:
    meta = record.meta
    whole = {"type": type_, "id": str(meta.id), "timestamp": rfc3339(meta.time), "version": meta.sequence, **more}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


class StreamReady(BaseModel):
    """The first item. `resumed`: what was missed follows; else read what you show, once."""

    type: Literal["ready"]
    resumed: bool


class StreamRefresh(BaseModel):
    """More was missed than is told one by one: read again what you show."""

    type: Literal["refresh"]


class LeftSession(BaseModel):
    session_id: UUID


class SessionLeft(BaseModel, title="SessionLeftItem"):
    """The session went to another practitioner: it is yours no more."""

    type: Literal["session_left"]
    id: UUID = Field(description="The event's.")
    timestamp: Instant = Field(examples=["2026-12-01T02:00:00Z"])
    version: int
    data: LeftSession


def _with_example(schema: Any) -> None:
    schema["examples"] = [_example(schema["properties"]["type"]["const"])]


class _EventItem(BaseModel):
    model_config = ConfigDict(json_schema_extra=_with_example)

    type: str
    id: UUID = Field(description="The event's, as a webhook's `webhook-id`: a copy has the same.")
    timestamp: Instant = Field(description="When it happened.")
    version: int = Field(description="The Transaction's or session's after it: leave out what is older than yours.")
    consistency_token: str = Field(
        description="For `Consistency-Token` where you read on: that service waits until it has this version.",
        pattern="^[A-Za-z0-9_-]+$",
    )
    data: dict[str, Any]


def _item_model(event: type[Event], version: int) -> type[BaseModel]:
    today = version == event.TYPE_VERSION
    schema = opened(described(schema_of(event))) if today else earlier_schema(event, version)  # a field may be added
    data = {name: schema[name] for name in ("type", "title", "properties", "required")}
    fields: dict[str, Any] = {
        "type": (Literal[full_type(event.TYPE, version)], ...),  # pyright: ignore[reportInvalidTypeForm]
        "data": (Annotated[dict[str, Any], WithJsonSchema(data)], ...),
    }
    name = f"{event.TYPE}{'' if version == 1 else f'V{version}'}Item"
    return create_model(name, __base__=_EventItem, __doc__=fill(schema["description"], 115), **fields)


ENUMERATIONS = {
    "ProductKind": get_args(ProductKind),
    "CancelReason": get_args(CancelReason),
    "FailReason": get_args(FailReason),
}
"""What the document calls by name."""
EVENT_ITEMS: Mapping[str, type[BaseModel]] = {
    full_type(event.TYPE, version): _item_model(event, version)
    for event in (*TRANSACTIONS.events, *SESSIONS.events)
    for version in range(1, event.TYPE_VERSION + 1)
}
"""By CloudEvents type: the item of each event, and of earlier versions, which are told again from the log alone."""
_ITEMS = (StreamReady, *EVENT_ITEMS.values(), SessionLeft, StreamRefresh)


class StreamItem(RootModel[Annotated[Union[_ITEMS], Field(discriminator="type")]]):  # noqa: UP007 # pyright: ignore[reportInvalidTypeArguments, reportInvalidTypeForm]
    """One item of the stream, told apart by `type`. More types may come: leave out what you don't know."""

    model_config = ConfigDict(json_schema_extra={"x-extensible-enum": True})


def _example(type_: str) -> dict[str, Any]:
    """As it is told of the event's golden record."""
    record = golden(".".join(type_.split(".")[-2:]))
    return {**json.loads(told_of(decode(record))[0].item), "type": type_, "data": json.loads(record.value or b"")}


def examples(types: Sequence[str]) -> list[dict[str, Any]]:
    """Items as they come, of these events."""
    return [_example(one) for one in types]
