"""Every text in both languages; times in the viewer's zone, with its name and offset."""

import re
from datetime import UTC, datetime
from importlib.resources import files

import pytest
import time_machine
from babel.messages.pofile import read_po

from booking_client import models, operator_models
from booking_contracts.zones import zone
from booking_gateway.words.catalog import updated
from booking_gateway.words.language import accepted, locale_of
from booking_gateway.words.sayings import HELD, SAID
from booking_gateway.words.words import Words

CATALOG = files("booking_gateway.words") / "locale" / "id.po"
NINE = datetime(2026, 12, 7, 2, 0, tzinfo=UTC)
HOME = Words("id", zone("Asia/Jakarta"))


def test_catalog__is_of_todays_texts():
    assert CATALOG.read_text("utf-8") == updated("id"), "make generate"


def test_catalog__has_every_text_with_the_same_places_to_fill():
    with CATALOG.open("rb") as file:
        for message in read_po(file, locale="id"):
            if message.id:
                assert message.string, message.id
                assert not message.fuzzy
                places = [set(re.findall(r"%\(\w+\)s", text)) for text in (str(message.id), str(message.string))]
                assert places[0] == places[1], message.id


@pytest.mark.parametrize(
    "kind",
    [
        "SessionStatus",
        "TransactionStatus",
        "SessionReason",
        "SessionEventType",
        "TransactionEventType",
        "ProductKind",
        "ReviewCause",
        "ReviewStatus",
        "ReviewOutcome",
        "MoneyDirection",
        "NotificationStatus",
        "NotificationTemplate",
        "NotificationChannel",
    ],
)
def test_interface__has_no_word_that_pages_do_not_know(kind):
    assert set(getattr(models, kind).__args__) <= SAID.keys()


def test_held_records__have_a_word_for_why_and_for_what_became_of_them():
    assert set(operator_models.HeldReason.__args__) <= HELD.keys()
    assert set(operator_models.HeldOutcome.__args__) <= SAID.keys()


def test_times__are_in_the_viewers_zone():
    assert HOME.moment(NINE) == "Senin, 7 Desember 2026, 09:00"
    assert HOME.zone_told(NINE) == "WIB (GMT+07:00, Asia/Jakarta)"
    there = Words("en", zone("America/New_York"))
    assert there.moment(NINE) == "Sunday, 6 December 2026, 21:00"
    assert there.zone_told(NINE) == "EST (GMT-05:00, America/New_York)"
    assert Words("en", zone("America/Sao_Paulo")).zone_told(NINE) == "GMT-03:00, America/Sao_Paulo"


def test_left__is_how_long_until_then_and_nothing_once_it_is_past():
    with time_machine.travel(NINE, tick=False):
        assert HOME.left(datetime(2026, 12, 10, 2, 0, tzinfo=UTC)) == "3 hari"
        assert Words("en", zone("UTC")).left(datetime(2026, 12, 7, 5, 0, tzinfo=UTC)) == "3 hours"
        assert HOME.left(NINE) == ""


def test_money__has_the_decimals_that_the_interface_gives_it():
    assert HOME.money(250000, "IDR") == "Rp 250.000"
    assert Words("en", zone("UTC")).money(1999, "USD") == "$ 19.99"


def test_language__is_weighed_as_the_browser_asks():
    assert (accepted("en;q=0.5, id"), accepted("de, en-GB"), accepted("*"), accepted("")) == ("id", "en", None, None)
    assert (locale_of("id_ID"), locale_of("en-GB"), locale_of("de"), locale_of(None)) == ("id", "en", None, None)
