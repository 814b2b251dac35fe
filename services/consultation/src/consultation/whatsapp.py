"""The `https://wa.me/{phone}?text=...` link by which the member negotiates by hand (product.md, the flow's request)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from booking_people import Unusable, whatsapp_digits
from booking_people import phone as usable

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
