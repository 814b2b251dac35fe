"""Signatures on raw bytes, and what providers' words mean (P4, F75, F76, T22, T28)."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from services.checkout.tests.midtrans_server import SERVER_KEY, MidtransServer
from services.checkout.tests.rig import MANUAL_SECRET, manual, signature

from booking_contracts.money import Money
from checkout.payments.manual import Manual
from checkout.payments.midtrans import Midtrans
from checkout.payments.provider import BadBodyError, BadSignatureError, json_object, money, text

MIDTRANS = Midtrans(api_url="http://127.0.0.1:1", snap_url="http://127.0.0.1:1", server_keys=("new", SERVER_KEY))
MANUAL = Manual(("new", MANUAL_SECRET))
REFERENCE = "0198d2a0-1111-7000-8000-000000000001"


def raw(status: str = "settlement", **more: Any) -> bytes:
    return json.dumps(MidtransServer().notification(REFERENCE, status, **more)).encode()


class TestMidtrans:
    def test_good__also_by_a_key_that_is_being_replaced(self) -> None:
        MIDTRANS.verify({}, raw())

    def test_the_documents_formula(self) -> None:
        """SHA512(order_id + status_code + gross_amount + server key), the amount as the text that was sent."""
        plain = f"{REFERENCE}200250000.00{SERVER_KEY}"
        assert json.loads(raw())["signature_key"] == hashlib.sha512(plain.encode()).hexdigest()

    @pytest.mark.parametrize("status", ["settlement", "capture", "refund", "partial_refund", "chargeback"])
    def test_a_status_that_moves_money__needs_the_signed_code(self, status: str) -> None:
        with pytest.raises(BadSignatureError):
            MIDTRANS.verify({}, raw(status, status_code="201"))

    @pytest.mark.parametrize(
        ("status", "fraud", "meaning"),
        [
            ("pending", "accept", "pending"),
            ("authorize", "accept", "pending"),
            ("capture", "accept", "paid"),
            ("capture", "challenge", "pending"),
            ("capture", "deny", "denied"),
            ("settlement", "accept", "paid"),
            ("deny", "accept", "denied"),
            ("cancel", "accept", "voided"),
            ("expire", "accept", "failed"),
            ("failure", "accept", "failed"),
            ("refund", "accept", "refunded"),
            ("partial_refund", "accept", "partly_refunded"),
            ("chargeback", "accept", "refunded"),
            ("partial_chargeback", "accept", "partly_refunded"),
            ("capture", "puzzled", None),
            ("something-new", "accept", None),
        ],
    )
    def test_what_a_status_means(self, status: str, fraud: str, meaning: str | None) -> None:
        assert MIDTRANS.parse(raw(status, fraud_status=fraud)).status == meaning

    @pytest.mark.parametrize("fraud", [5, 0, True, [], {}, ["accept"]])
    def test_fraud_status_that_is_no_text__is_nobody_s_word_for_money(self, fraud: object) -> None:
        assert MIDTRANS.parse(raw("settlement", fraud_status=fraud)).status is None

    def test_partial_refund__says_what_went_back(self) -> None:
        said = MIDTRANS.parse(raw("partial_refund", refund_amount="100000.00", refunds=[{"refund_key": "r1"}]))
        assert (said.amount, said.returned, said.provider_refund_id) == (
            Money(250_000, "IDR"),
            Money(100_000, "IDR"),
            "r1",
        )

    def test_payment_and_reference(self) -> None:
        said = MIDTRANS.parse(raw())
        assert (said.payment_id, said.reference, str(said.names)) == (f"pay-{REFERENCE}", REFERENCE, REFERENCE)

    @pytest.mark.parametrize("name", ["order_id", "status_code", "gross_amount", "signature_key"])
    @pytest.mark.parametrize("value", [None, 1, [], "", "\ud800"])
    def test_odd_values__are_no_signature(self, name: str, value: Any) -> None:
        body = json.dumps({**json.loads(raw()), name: value}).encode()
        with pytest.raises(BadSignatureError):
            MIDTRANS.verify({}, body)

    @pytest.mark.parametrize(
        ("status", "fraud", "declined"),
        [
            ("deny", "accept", "deny"),
            ("failure", "accept", "failure"),
            ("capture", "deny", "fraud"),
            ("expire", "accept", None),
            ("cancel", "accept", None),
            ("capture", "challenge", None),
            ("settlement", "accept", None),
            ("something-new", "accept", None),
        ],
    )
    def test_refusal__has_its_word(self, status: str, fraud: str, declined: str | None) -> None:
        assert MIDTRANS.parse(raw(status, fraud_status=fraud)).declined == declined

    @pytest.mark.parametrize(
        ("status", "times", "settled_at"),
        [
            ("settlement", {"settlement_time": "2026-12-01 00:15:00"}, datetime(2026, 11, 30, 17, 15, tzinfo=UTC)),
            ("settlement", {"transaction_time": "2026-12-01 00:15:00"}, None),
            ("capture", {"transaction_time": "2026-12-01 00:15:00"}, datetime(2026, 11, 30, 17, 15, tzinfo=UTC)),
            ("settlement", {"settlement_time": "2026-12-01T00:15:00Z"}, None),
            ("settlement", {"settlement_time": "0001-01-01 00:00:00"}, None),
            ("settlement", {"settlement_time": 1796083200}, None),
        ],
    )
    def test_settlement__is_told_in_indonesian_time(
        self, status: str, times: dict[str, Any], settled_at: datetime | None
    ) -> None:
        assert MIDTRANS.parse(raw(status, **times)).settled_at == settled_at

    def test_the_dashboards_test__is_told_apart(self) -> None:
        body = MidtransServer().notification("payment_notif_test_G000000001_4d95", "settlement")
        assert MIDTRANS.parse(json.dumps(body).encode()).test
        assert not MIDTRANS.parse(raw()).test


class TestManual:
    def test_refunded__tells_what_went_back(self) -> None:
        said = MANUAL.parse(json.dumps(manual(REFERENCE, "refunded", 100_000)).encode())
        assert (said.status, said.returned) == ("refunded", Money(100_000, "IDR"))

    def test_good__also_by_a_secret_that_is_being_replaced(self) -> None:
        body = json.dumps(manual(REFERENCE)).encode()
        MANUAL.verify({"x-signature": signature(body)}, body)
        MANUAL.verify({"x-signature": signature(body).upper()}, body)

    @pytest.mark.parametrize("given", [None, "", "0" * 64, "é", "\ud800"])
    def test_bad(self, given: str | None) -> None:
        headers = {} if given is None else {"x-signature": given}
        with pytest.raises(BadSignatureError):
            MANUAL.verify(headers, b"{}")

    def test_payment_id__is_the_notifications_by_default(self) -> None:
        said = MANUAL.parse(json.dumps(manual(REFERENCE, notification_id="n1")).encode())
        assert (said.payment_id, said.notification_id) == ("n1", "n1")

    @pytest.mark.parametrize(
        ("said", "settled_at"),
        [
            ("2026-12-01T00:15:00+07:00", datetime(2026, 11, 30, 17, 15, tzinfo=UTC)),
            ("2026-12-01T00:15:00", None),
            ("yesterday", None),
            (1796083200, None),
        ],
    )
    def test_settlement__has_its_zone(self, said: object, settled_at: datetime | None) -> None:
        assert MANUAL.parse(json.dumps(manual(REFERENCE, settled_at=said)).encode()).settled_at == settled_at

    def test_reference__a_uuid_in_any_spelling_is_one(self) -> None:
        said = MANUAL.parse(json.dumps(manual(REFERENCE.upper().replace("-", ""))).encode())
        assert said.reference == REFERENCE

    @pytest.mark.parametrize(
        "amount", [True, 1.0, "1", -1, 10**16, None, {"amount": 1}], ids=lambda value: type(value).__name__
    )
    def test_what_is_no_amount(self, amount: Any) -> None:
        assert MANUAL.parse(json.dumps(manual(REFERENCE, amount=amount)).encode()).amount is None


class TestWire:
    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'{"a":NaN}', b"\xff", b'{"a":1,"a":1}', b"[" * 100_000])
    def test_no_object(self, body: bytes) -> None:
        with pytest.raises(BadBodyError):
            json_object(body)

    @pytest.mark.parametrize(
        ("amount", "currency", "expected"),
        [
            ("250000.00", "IDR", (Money(250_000, "IDR"), True)),
            ("250000", "IDR", (Money(250_000, "IDR"), True)),
            ("250000.50", "IDR", (Money(250_001, "IDR"), False)),
            ("249999.01", "IDR", (Money(250_000, "IDR"), False)),
            ("19.99", "USD", (Money(1999, "USD"), True)),
            ("19.991", "USD", (Money(2000, "USD"), False)),
            ("5.00", "XAU", (Money(500, "XAU"), False)),
            ("1e5", "IDR", (None, False)),
            ("-1", "IDR", (None, False)),
            ("٣", "IDR", (None, False)),
            ("", "IDR", (None, False)),
            ("1", "idr", (None, False)),
            (250000, "IDR", (None, False)),
        ],
    )
    def test_money(self, amount: Any, currency: str, expected: tuple) -> None:
        """F75: nothing that isn't the exact text of an amount can equal a price."""
        assert money(amount, currency) == expected

    @pytest.mark.parametrize(
        ("given", "kept"), [("a\x00b", "a\ufffdb"), ("\ud800", "?"), (7, ""), ("x" * 999, "x" * 200)]
    )
    def test_text__is_what_postgresql_can_hold(self, given: Any, kept: str) -> None:
        assert text(given) == kept
