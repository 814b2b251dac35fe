"""One message to one reader, and what its text may speak of: the facts of the event that caused it.

The facts come from the stored event, never from a profile that has changed since; names and addresses come from the
directory at the moment of sending, because events hold ids only (E4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from booking_contracts.event import Event
from booking_contracts.zones import Zone
from booking_people import one_line
from booking_web.languages import Language
from notifier.rules import ADMINS, Template
from notifier.texts.formats import amount, moment, safe_name, span


@dataclass(frozen=True, slots=True)
class Names:
    """What people and the product are called now; None for whom nobody knows (any more)."""

    recipient: str | None = None
    member: str | None = None
    practitioner: str | None = None
    product: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything that one message is rendered from. `at` is when the event occurred, `actor` who caused it."""

    template: Template
    recipient_id: str
    language: Language
    zone: Zone
    event: Event
    at: datetime
    actor: str
    names: Names
    session_time: tuple[datetime, datetime] | None = None

    @property
    def to_member(self) -> bool:
        """Whether the reader is the member of the session or transaction."""
        return self.recipient_id == str(getattr(self.event, "user_id", ""))


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language's words for codes and for people whose name we don't know (any more)."""

    reader: str
    member: str
    practitioner: str
    product: str
    footer: str
    no_date: str
    reasons: dict[str, str]
    review_causes: dict[str, str]


PHRASES: dict[Language, Phrases] = {
    "id": Phrases(
        reader="Bapak/Ibu",
        member="klien Anda",
        practitioner="praktisi Anda",
        product="Konsultasi",
        footer="Pesan ini dikirim otomatis. Anda dapat memilih saluran dan bahasa pemberitahuan di pengaturan akun.",
        no_date="belum terjadwal",
        reasons={
            "canceled_by_member": "dibatalkan oleh klien",
            "canceled_by_practitioner": "dibatalkan oleh praktisi",
            "practitioner_timeout": "praktisi tidak menjawab hingga batas waktu",
            "payment_reversed": "pembayaran dikembalikan",
            "technical": "kendala teknis",
            "no_show_member": "klien tidak hadir",
            "no_show_practitioner": "praktisi tidak hadir",
            "other": "alasan lain",
        },
        review_causes={
            "after_expiry": "uang datang setelah transaksi kedaluwarsa",
            "after_cancel": "uang datang setelah transaksi dibatalkan",
            "wrong_amount": "jumlahnya tidak sesuai",
            "wrong_currency": "mata uangnya tidak sesuai",
            "second_payment": "transaksi ini sudah dibayar",
        },
    ),
    "en": Phrases(
        reader="there",
        member="your client",
        practitioner="your practitioner",
        product="Consultation",
        footer="This message was sent automatically. You can choose channels and language in your account's settings.",
        no_date="without a date so far",
        reasons={
            "canceled_by_member": "canceled by the client",
            "canceled_by_practitioner": "canceled by the practitioner",
            "practitioner_timeout": "the practitioner did not answer in time",
            "payment_reversed": "the payment was returned",
            "technical": "technical trouble",
            "no_show_member": "the client did not come",
            "no_show_practitioner": "the practitioner did not come",
            "other": "another reason",
        },
        review_causes={
            "after_expiry": "money came after the order had expired",
            "after_cancel": "money came after the order was canceled",
            "wrong_amount": "the amount is wrong",
            "wrong_currency": "the currency is wrong",
            "second_payment": "the order was already paid",
        },
    ),
}


def template_values(letter: Letter) -> Mapping[str, Any]:
    """The values for the templates: text that is safe to place, and booleans. Absent facts are absent keys."""
    return {**_people(letter), **_times(letter), **_money(letter), **_facts(letter)}


def meeting_link(event: Event) -> str | None:
    """The event's link if it is a plain https address: consultation checked its shape (S3), we its harmlessness."""
    link = getattr(event, "meeting_link", None)
    if link is None or not link.startswith("https://") or one_line(link, 2048) != link:
        return None
    return None if any(c in link for c in " \"'<>`\\") else link


def _people(letter: Letter) -> dict[str, Any]:
    words, names = PHRASES[letter.language], letter.names
    member = safe_name(names.member, words.member)
    practitioner = safe_name(names.practitioner, words.practitioner)
    return {
        "recipient_name": safe_name(names.recipient, words.reader),
        "member_name": member,
        "practitioner_name": practitioner,
        "other_name": practitioner if letter.to_member else member,
        "product_name": safe_name(names.product, words.product),
        "to_member": letter.to_member,
        "to_admins": letter.recipient_id == ADMINS,
        "by_recipient": letter.actor.partition(":")[2] == letter.recipient_id,
    }


def _times(letter: Letter) -> dict[str, Any]:
    event, zone, language = letter.event, letter.zone, letter.language
    times: dict[str, Any] = {"when": None, "requested_at": moment(letter.at, zone, language)}
    if (held := session_time(letter)) is not None:
        times["when"] = span(*held, zone, language)
    times["when_or_not"] = times["when"] or PHRASES[language].no_date
    previous = getattr(event, "previous", None)
    if previous is not None:
        times["previous_when"] = span(previous.starts_at, previous.ends_at, zone, language)
    for name in ("respond_by", "paid_at", "expires_at"):
        if (instant := getattr(event, name, None)) is not None:
            times[name] = moment(instant, zone, language)
    return times


def session_time(letter: Letter) -> tuple[datetime, datetime] | None:
    """The time that the message is about: the event's own, the one it gave up, or the session's."""
    starts_at, ends_at = getattr(letter.event, "starts_at", None), getattr(letter.event, "ends_at", None)
    if starts_at is not None and ends_at is not None:
        return starts_at, ends_at
    previous = getattr(letter.event, "previous", None)
    return (previous.starts_at, previous.ends_at) if previous is not None else letter.session_time


def _money(letter: Letter) -> dict[str, Any]:
    amounts = {name: getattr(letter.event, name, None) for name in ("amount", "received", "expected")}
    return {name: amount(money, letter.language) for name, money in amounts.items() if money is not None}


def _facts(letter: Letter) -> dict[str, Any]:
    event, words = letter.event, PHRASES[letter.language]
    facts: dict[str, Any] = {
        name: str(value)
        for name in ("session_id", "transaction_id", "review_id", "refund_id")
        if (value := getattr(event, name, None)) is not None
    }
    if (link := meeting_link(event)) is not None:
        facts["meeting_link"] = link
    if (code := getattr(event, "reason_code", None)) is not None:
        facts["reason"] = words.reasons.get(code, words.reasons["other"])
        facts["may_request_again"] = code != "payment_reversed"
    if (cause := getattr(event, "cause", None)) is not None:
        facts["review_cause"] = words.review_causes.get(cause, words.review_causes["wrong_amount"])
    if (provider := getattr(event, "provider", None)) is not None:
        facts["provider"] = one_line(provider, 60)
    if (refund_code := getattr(event, "code", None)) is not None:
        facts["refund_code"] = one_line(refund_code, 60)
    facts["is_review"] = getattr(event, "review_id", None) is not None
    return facts
