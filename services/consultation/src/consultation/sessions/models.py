"""What goes over the wire. Input models take nothing they don't know (T5); answers are api.md's fields and ours.

`whatsapp_url` is the `https://wa.me/{phone}?text=...` link by which the member negotiates by hand (product.md, the
flow's request).
"""

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import quote
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from booking_contracts.event import Instant, LocalTime, ProductKind
from booking_contracts.sessions import CancelReason, SessionStatus
from booking_contracts.topics import SESSIONS
from booking_people import Unusable, is_visible, whatsapp_digits
from booking_people import phone as usable
from booking_web.instants import InstantIn
from booking_web.languages import language_for
from consultation.sessions.lifecycle import AdminsFailReason, PersonalCommand, ReasonCode, Role, allowed
from consultation.sessions.store import Person
from consultation.sessions.times import LocalTimes

TEXTS = {
    "id": "Halo{practitioner}{introduction}. Saya baru saja mengajukan permintaan jadwal sesi {kind}. "
    "Kapan waktu yang cocok untuk Anda?",
    "en": "Hello{practitioner}{introduction}. I have just requested a {kind} session. "
    "Which date and time would suit you?",
}
INTRODUCTIONS = {"id": ", saya {name}", "en": ", this is {name}"}
KINDS = {
    "id": {"verification": "verifikasi", "counseling": "konseling"},
    "en": {"verification": "verification", "counseling": "counseling"},
}


def url_of(session: Mapping[str, Any]) -> str | None:
    """The link that opens the member's chat with the practitioner of a session, a row of `reading`."""
    text = greeting(
        kind=session["kind"],
        locale=session["practitioner_locale"],
        practitioner_name=session["practitioner_name"],
        member_name=session["member_name"],
    )
    return whatsapp_url(session["practitioner_phone"], text)


def whatsapp_url(phone: str | None, text: str) -> str | None:
    """The link that opens a chat with `phone` and `text` in it; None without a usable number. Any text is safe."""
    try:
        digits = whatsapp_digits(usable(phone or ""))
    except Unusable:
        return None
    return f"https://wa.me/{digits}?text={quote(text, safe='', errors='replace')}"


def greeting(*, kind: str, locale: str | None, practitioner_name: str | None, member_name: str | None) -> str:
    """What the member's message begins with, in the language of the practitioner's locale."""
    language = language_for(locale)
    return TEXTS[language].format(
        practitioner=f" {practitioner_name}" if practitioner_name else "",
        introduction=INTRODUCTIONS[language].format(name=member_name) if member_name else "",
        kind=KINDS[language].get(kind, kind),
    )


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


def _date(value: Any) -> date:
    # Stricter than pydantic, to whom a number is a date too.
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("a date is written YYYY-MM-DD")
    return date.fromisoformat(value)


def _time(value: Any) -> time:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("a local time is written HH:MM, from 00:00 to 23:59")
    return time.fromisoformat(value)


def _number(value: Any) -> Any:
    # To Python True is 1, and so is 1.0.
    if type(value) is not int:
        raise PydanticCustomError("int_type", "it is the number 0 or 1")
    return value


def _seen(value: str) -> str:
    if not is_visible(value):
        raise ValueError("nothing of this text can be seen")
    return value


DateIn = Annotated[
    date, BeforeValidator(_date, json_schema_input_type=str), Field(json_schema_extra={"format": "date"})
]
TimeIn = Annotated[
    time, BeforeValidator(_time, json_schema_input_type=str), Field(json_schema_extra={"format": "HH:MM"})
]
FreeTextIn = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), AfterValidator(_seen)
]
FoldIn = Annotated[Literal[0, 1], BeforeValidator(_number)]
LinkIn = Annotated[str, StringConstraints(max_length=4_096)]  # the link rule has its own limits, with its own code


EVENT_TYPES = tuple(event.TYPE for event in SESSIONS.events)
ENUMERATIONS = {
    "SessionStatus": get_args(SessionStatus),
    "ProductKind": get_args(ProductKind),
    "CancelReason": get_args(CancelReason),
    "AdminFailReason": get_args(AdminsFailReason),
    "SessionCommand": get_args(PersonalCommand),
}
OPEN_ENUMERATIONS = {"SessionReason": get_args(ReasonCode), "SessionEventType": EVENT_TYPES}
"""What the document calls by name; the open ones may grow."""


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RequestIn(_In, title="SessionRequest"):
    """R1: which Transaction, and perhaps which assessment it is about."""

    transaction_id: UUID
    assessment_id: UUID | None = None


class ScheduleIn(_In, title="SessionSchedule"):
    """S1: local date and times, the practitioner's zone unless another is named, and the meeting link (S3)."""

    scheduled_date: DateIn = Field(examples=["2026-12-01"])
    time_start: TimeIn = Field(examples=["09:00"])
    time_end: TimeIn = Field(examples=["10:00"])
    timezone: Annotated[str, StringConstraints(max_length=64)] | None = Field(default=None, examples=["Asia/Jakarta"])
    ends_next_day: StrictBool = False
    fold: FoldIn | None = Field(
        default=None, examples=[None], description="Which of two, where the zone has the time twice: 0 is the first."
    )
    fold_end: FoldIn | None = Field(
        default=None,
        examples=[None],
        description="The same for `time_end`. Left out, it is `fold`; where that would end before the start, 1.",
    )
    meeting_link: LinkIn = Field(examples=["https://meet.google.com/abc-defg-hij"])

    def times(self, zone: str) -> LocalTimes:
        """The input in the zone that it is meant in."""
        return LocalTimes(
            scheduled_date=self.scheduled_date,
            time_start=self.time_start,
            time_end=self.time_end,
            timezone=zone,
            ends_next_day=self.ends_next_day,
            fold=self.fold,
            fold_end=self.fold_end,
        )


class ResultIn(_In, title="SessionResult"):
    """A recording's link (S3), notes, or both; and when the meeting was over."""

    result_link: LinkIn | None = Field(default=None, examples=["https://drive.google.com/file/d/abc"])
    result_notes: FreeTextIn | None = Field(default=None, examples=["Kita lanjutkan bulan depan."])
    ended_at: InstantIn | None = Field(
        default=None,
        examples=["2026-12-01T02:55:00Z"],
        description="When the meeting was over, if that is to be known (S8). Left out, what was said before stays.",
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.result_link is None and self.result_notes is None:
            raise ValueError("give result_link, result_notes or both")
        return self


class CancelIn(_In, title="SessionCancellation"):
    """S5: why, as a code that goes with who cancels, and in words."""

    reason_code: CancelReason
    reason: FreeTextIn = Field(examples=["Berhalangan"])


class FailIn(_In, title="SessionFailure"):
    """S5: why, as an admin's code, and in words."""

    reason_code: AdminsFailReason
    reason: FreeTextIn = Field(examples=["Sambungan terputus"])


class SessionOut(BaseModel, title="Session"):
    """A session. `erased` names what is null because it was erased (E5), not because it never was."""

    id: UUID
    transaction_id: UUID
    assessment_id: UUID | None = Field(examples=[None])
    practitioner_id: UUID
    practitioner_name: str | None = Field(examples=["Budi Santoso"])
    user_id: UUID
    member_name: str | None = Field(examples=["Sari Dewi"])
    product_name: str | None = Field(
        description="As it was sold; null where the sale is not known here.", examples=["Konseling 60 menit"]
    )
    kind: ProductKind
    duration_minutes: int | None = Field(description="As it was sold; null as above.", examples=[60])
    status: SessionStatus = Field(examples=["scheduled"])
    requested_at: Instant
    respond_by: Instant
    scheduled_date: date | None
    time_start: LocalTime | None = Field(examples=["09:00"])
    time_end: LocalTime | None = Field(examples=["10:00"])
    timezone: str | None = Field(examples=["Asia/Jakarta"])
    ends_next_day: bool | None = Field(examples=[False])
    fold: int | None = Field(examples=[None])
    fold_end: int | None = Field(examples=[None])
    starts_at: Instant | None = Field(examples=["2026-12-01T02:00:00Z"])
    ends_at: Instant | None = Field(examples=["2026-12-01T03:00:00Z"])
    schedule_version: int
    meeting_link: str | None = Field(examples=["https://meet.google.com/abc-defg-hij"])
    started_at: Instant | None = Field(examples=[None])
    ended_at: Instant | None = Field(
        description="When the meeting was over, if the practitioner said so (S8).", examples=[None]
    )
    result_link: str | None = Field(examples=[None])
    result_notes: str | None = Field(examples=[None])
    reason_code: ReasonCode | None = Field(examples=[None])
    reason: str | None = Field(examples=[None])
    whatsapp_url: str | None = Field(
        description="Opens a chat with the practitioner: for the member, while the session is `pending_negotiation`.",
        examples=["https://wa.me/6281234567890?text=Halo"],
    )
    allowed_commands: list[PersonalCommand] = Field(
        description="What its lifecycle allows the caller to do to it now; empty with `as_of`.", examples=[["cancel"]]
    )
    erased: list[str] = Field(examples=[[]])
    version: int

    @classmethod
    def of(cls, row: dict[str, Any], reader: Person | None) -> Self:
        """The view of a row of `reads` for that person; whatever the row has beside is not for show.

        `reader` is None for a session of the past: nobody does anything to that.
        """
        negotiates = reader is not None and reader.id == row["user_id"] and row["status"] == "pending_negotiation"
        shown = {name: row[name] for name in _SHOWN}
        put_together = {
            "whatsapp_url": url_of(row) if negotiates else None,
            "allowed_commands": [] if reader is None else allowed(row["status"], *_capacities(row, reader)),
            "erased": _erased(row),
        }
        return cls.model_validate({**shown, **put_together})


_SHOWN = tuple(name for name in SessionOut.model_fields if name not in {"whatsapp_url", "allowed_commands", "erased"})


def _capacities(row: dict[str, Any], reader: Person) -> list[Role]:
    is_it: dict[Role, bool] = {
        "practitioner": reader.id == row["practitioner_id"],
        "member": reader.id == row["user_id"],
        "admin": True,
    }
    return [role for role, true in is_it.items() if true and role in reader.roles]


class SummaryOut(BaseModel, title="SessionSummary"):
    """How many sessions are open. Together the three are all that are."""

    model_config = ConfigDict(from_attributes=True)

    waiting: int = Field(description="For the practitioner's time (`pending_negotiation`).", examples=[2])
    upcoming: int = Field(description="With a time that is not over yet.", examples=[3])
    overdue: int = Field(description="Their time is over, and there is neither a result nor an end.", examples=[1])


def _erased(row: dict[str, Any]) -> list[str]:
    gone = {
        "practitioner_name": row["practitioner_erased"],
        "member_name": row["member_erased"],
        "result_link": row["result_has_link"] and row["result_link"] is None,
        "result_notes": row["result_has_notes"] and row["result_notes"] is None,
        "reason": row["reason_id"] is not None and row["reason"] is None,
    }
    return [name for name, is_gone in gone.items() if is_gone]


class HistoryItemOut(BaseModel, title="SessionHistoryItem"):
    """One event of a session."""

    version: int
    type: str = Field(examples=["SessionScheduled"], json_schema_extra={"enum": [*EVENT_TYPES]})
    occurred_at: Instant
    actor: str = Field(examples=["practitioner:0198d2a0-3333-7000-8000-000000000003"])
    data: dict[str, Any] = Field(examples=[{"schedule_version": 1}])
    reason: str | None = Field(examples=[None])
    erased: list[str] = Field(examples=[[]])
