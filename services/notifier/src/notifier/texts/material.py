"""What a text may speak of: the facts of the event that caused the message, in the reader's zone and language.

The facts come from the stored event, never from a profile that has changed since; names and addresses come from the
directory at the moment of sending, because events hold ids only (E4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from booking_contracts.event import Event
from booking_contracts.zones import Zone
from booking_web.languages import Language
from notifier.rules.decide import ADMINS
from notifier.rules.table import Template
from notifier.texts import clean
from notifier.texts.amounts import amount
from notifier.texts.dates import moment, span
from notifier.texts.phrases import PHRASES


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


def material(letter: Letter) -> Mapping[str, Any]:
    """The values for the templates: text that is safe to place, and booleans. Absent facts are absent keys."""
    return {**_people(letter), **_times(letter), **_money(letter), **_facts(letter)}


def meeting_link(event: Event) -> str | None:
    """The event's link if it is a plain https address: consultation checked its shape (S3), we its harmlessness."""
    link = getattr(event, "meeting_link", None)
    if link is None or not link.startswith("https://") or clean.one_line(link, 2048) != link:
        return None
    return None if any(c in link for c in " \"'<>`\\") else link


def _people(letter: Letter) -> dict[str, Any]:
    words, names = PHRASES[letter.language], letter.names
    member = clean.name(names.member, words.member)
    practitioner = clean.name(names.practitioner, words.practitioner)
    return {
        "recipient_name": clean.name(names.recipient, words.reader),
        "member_name": member,
        "practitioner_name": practitioner,
        "other_name": practitioner if letter.to_member else member,
        "product_name": clean.name(names.product, words.product),
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
        facts["provider"] = clean.one_line(provider, 60)
    if (refund_code := getattr(event, "code", None)) is not None:
        facts["refund_code"] = clean.one_line(refund_code, 60)
    facts["is_review"] = getattr(event, "review_id", None) is not None
    return facts
