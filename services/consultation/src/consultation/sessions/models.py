"""What goes over the wire. Input models take nothing they don't know (T5); answers are api.md's fields and ours.

`whatsapp_url` is the `https://wa.me/{phone}?text=...` link by which the member negotiates by hand (product.md, the
flow's request).
"""

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Literal, Self
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
from booking_contracts.sessions import SessionStatus
from booking_people import Unusable, is_visible, whatsapp_digits
from booking_people import phone as usable
from consultation.sessions.lifecycle import ReasonCode
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
    """What the member's message begins with, in the practitioner's language (Indonesian unless it is English)."""
    language = "en" if (locale or "").lower().startswith("en") else "id"
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


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RequestIn(_In):
    """R1: which Transaction, and perhaps which assessment it is about."""

    transaction_id: UUID
    assessment_id: UUID | None = None


class ScheduleIn(_In):
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


class ResultIn(_In):
    """A recording's link (S3), notes, or both."""

    result_link: LinkIn | None = Field(default=None, examples=["https://drive.google.com/file/d/abc"])
    result_notes: FreeTextIn | None = Field(default=None, examples=["Kita lanjutkan bulan depan."])

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.result_link is None and self.result_notes is None:
            raise ValueError("give result_link, result_notes or both")
        return self


class ReasonIn(_In):
    """S5: why, as a code of that command and actor, and in words."""

    reason_code: ReasonCode
    reason: FreeTextIn = Field(examples=["Berhalangan"])


class SessionOut(BaseModel):
    """A session. `erased` names what is null because it was erased (E5), not because it never was."""

    id: UUID
    transaction_id: UUID
    assessment_id: UUID | None = Field(examples=[None])
    practitioner_id: UUID
    practitioner_name: str | None = Field(examples=["Budi Santoso"])
    user_id: UUID
    member_name: str | None = Field(examples=["Sari Dewi"])
    kind: ProductKind
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
    result_link: str | None = Field(examples=[None])
    result_notes: str | None = Field(examples=[None])
    reason_code: str | None = Field(examples=[None])
    reason: str | None = Field(examples=[None])
    whatsapp_url: str | None = Field(
        description="Opens a chat with the practitioner: for the member, while the session is `pending_negotiation`.",
        examples=["https://wa.me/6281234567890?text=Halo"],
    )
    erased: list[str] = Field(examples=[[]])
    version: int

    @classmethod
    def of(cls, row: dict[str, Any], reader: UUID | None) -> Self:
        """The view of a row of `reading` for that person; whatever the row has beside is not for show."""
        negotiates = reader == row["user_id"] and row["status"] == "pending_negotiation"
        url = url_of(row) if negotiates else None
        shown = {name: row[name] for name in _SHOWN}
        return cls.model_validate({**shown, "whatsapp_url": url, "erased": _erased(row)})


_SHOWN = tuple(name for name in SessionOut.model_fields if name not in {"whatsapp_url", "erased"})


def _erased(row: dict[str, Any]) -> list[str]:
    gone = {
        "practitioner_name": row["practitioner_erased"],
        "member_name": row["member_erased"],
        "result_link": row["result_has_link"] and row["result_link"] is None,
        "result_notes": row["result_has_notes"] and row["result_notes"] is None,
        "reason": row["reason_id"] is not None and row["reason"] is None,
    }
    return [name for name, is_gone in gone.items() if is_gone]


class HistoryItemOut(BaseModel):
    """One event of a session."""

    version: int
    type: str = Field(examples=["SessionScheduled"])
    occurred_at: Instant
    actor: str = Field(examples=["practitioner:0198d2a0-3333-7000-8000-000000000003"])
    data: dict[str, Any] = Field(examples=[{"schedule_version": 1}])
    reason: str | None = Field(examples=[None])
    erased: list[str] = Field(examples=[[]])
