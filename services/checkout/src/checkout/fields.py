"""Fields of bodies and claims; each refusal is a 422 with a pointer to the field (T5: nothing undeclared gets in)."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.fields import FieldInfo

from booking_contracts.money import DECIMALS
from booking_contracts.zones import known_zones
from booking_people import MOST_EMAIL, MOST_NAME, MOST_PARAGRAPH, MOST_PHONE, email, is_visible, name, paragraph, phone

MOST_URL = 2_048
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")


class Body(BaseModel):
    """A request's body. Fields that it does not declare are refused."""

    model_config = ConfigDict(extra="forbid")


def zone(text: str) -> str:
    """Return an IANA zone's name; ValueError for an unknown one."""
    if text not in known_zones():
        raise ValueError("an IANA time zone such as Asia/Jakarta")
    return text


def locale(text: str) -> str:
    """Return a language tag such as `id` or `en-GB`; ValueError for anything else."""
    if not _LOCALE.fullmatch(text):
        raise ValueError("a language such as id or en")
    return text.replace("_", "-")


def web_address(text: str) -> str:
    """Return an https address; ValueError for one that readers could take for another (T11)."""
    text = text.strip()
    if len(text) > MOST_URL or not text.isascii() or not text.isprintable() or any(c in text for c in ' \\<>"`@'):
        raise ValueError("an https address")
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or "." not in parts.hostname:
        raise ValueError("an https address")
    return text


def page_address(text: str) -> str:
    """Return a page's address, whole and plain; ValueError for one that readers could take for another (T11)."""
    if len(text) > MOST_URL or not text.isascii() or not text.isprintable() or any(c in text for c in ' \\<>"`@'):
        raise ValueError("the address of a page")
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.fragment or parts.port == 0:
        raise ValueError("the address of a page")
    return text


def _storable(value: str) -> str:
    if not is_visible(value):
        raise ValueError("not empty")
    return paragraph(value)


def _known_currency(value: str) -> str:
    if value not in DECIMALS:
        raise ValueError(f"one of {', '.join(sorted(DECIMALS))}")
    return value


def _up_to(length: int) -> FieldInfo:
    """Tell callers of a limit that the validator holds, after it took blanks away."""
    return Field(json_schema_extra={"maxLength": length})


Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=2_000), AfterValidator(_storable), Field(examples=["Berhalangan"])
]
PersonName = Annotated[str, AfterValidator(name), Field(examples=["Sari Dewi"]), _up_to(MOST_NAME)]
Email = Annotated[str, AfterValidator(email), Field(examples=["sari@example.com"]), _up_to(MOST_EMAIL)]
Phone = Annotated[
    str, StringConstraints(max_length=MOST_PHONE), AfterValidator(phone), Field(examples=["+6281234567890"])
]
Zone = Annotated[str, AfterValidator(zone), Field(examples=["Asia/Jakarta"]), _up_to(64)]
Locale = Annotated[str, AfterValidator(locale), Field(examples=["id"]), _up_to(30)]
WebAddress = Annotated[
    str, AfterValidator(web_address), Field(examples=["https://example.com/budi.jpg"]), _up_to(MOST_URL)
]
PageAddress = Annotated[
    str, AfterValidator(page_address), Field(examples=["https://app.example.com/orders"]), _up_to(MOST_URL)
]
Paragraph = Annotated[
    str, AfterValidator(paragraph), Field(examples=["Sepuluh tahun mendampingi keluarga."]), _up_to(MOST_PARAGRAPH)
]
Tier = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(name), Field(examples=["gold"])]
Minutes = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]


class Price(Body):
    """Money in the currency's unit: 250000 IDR is Rp250.000."""

    amount: Annotated[int, Field(strict=True, gt=0, le=10**12, examples=[250000])]
    currency: Annotated[str, AfterValidator(_known_currency), Field(examples=["IDR"]), _up_to(3)]


class MoneyView(BaseModel, title="Money"):
    """An integer in the currency's unit: 250000 IDR is Rp250.000."""

    amount: int = Field(examples=[250000])
    currency: str = Field(examples=["IDR"])
