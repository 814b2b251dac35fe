"""The payment provider's stand-in keeps Midtrans' promises, also across its own restart."""

import hashlib
import hmac
import json

import httpx2
import pytest
from deploy.standins.tests.receiver import receiver
from deploy.standins.tests.standin_process import standin, until

KEY = "SB-Mid-server-test"
ORDER = {"transaction_details": {"order_id": "o-1", "gross_amount": 250000}}


@pytest.fixture
def checkout():
    with receiver() as (url, received):
        yield url, received


@pytest.fixture
def payments(tmp_path, checkout):
    settings = {"MIDTRANS_SERVER_KEY": KEY, "MANUAL_SECRET": "m4nual", "NOTIFICATION_URL": f"{checkout[0]}/v1/payments"}
    with standin("payments", tmp_path, PUBLIC_URL="http://pay.example", **settings) as running:
        running.http.auth = (KEY, "")
        yield running


def proof(body):
    text = body["order_id"] + body["status_code"] + body["gross_amount"] + KEY
    return hashlib.sha512(text.encode()).hexdigest()


def test_session__token_and_page_and_the_same_again(payments):
    first = payments.http.post("/snap/v1/transactions", json=ORDER)
    assert first.status_code == 201
    assert first.json()["redirect_url"].startswith("http://pay.example/snap/")
    assert payments.http.post("/snap/v1/transactions", json=ORDER).json() == first.json()


def test_pay__a_signed_settlement_reaches_checkout(payments, checkout):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    answer = payments.http.post("/pay/o-1")
    assert (answer.status_code, answer.json()["notified"]) == (200, 200)
    path, _, raw = checkout[1][0]
    body = json.loads(raw)
    assert path == "/v1/payments/midtrans/notifications"
    assert (body["transaction_status"], body["gross_amount"], body["signature_key"]) == (
        "settlement",
        "250000.00",
        proof(body),
    )
    status = payments.http.get("/v2/o-1/status").json()
    assert (status["transaction_status"], status["transaction_id"]) == ("settlement", body["transaction_id"])


def test_pay_with_another_amount__signed_all_the_same(payments, checkout):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    payments.http.post("/pay/o-1", json={"gross_amount": "1.00"})
    body = json.loads(checkout[1][0][2])
    assert (body["gross_amount"], body["signature_key"]) == ("1.00", proof(body))


def test_pay_by_hand__hmac_of_the_raw_body(payments, checkout):
    payments.http.post("/pay/tx-9", json={"provider": "manual", "amount": 250000})
    path, headers, raw = checkout[1][0]
    assert path == "/v1/payments/manual/notifications"
    assert headers["X-Signature"] == hmac.new(b"m4nual", raw, hashlib.sha256).hexdigest()
    assert json.loads(raw)["transaction_id"] == "tx-9"


def test_unpaid_or_unknown__no_status(payments):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    for order_id in ("o-1", "o-2"):
        assert payments.http.get(f"/v2/{order_id}/status").json()["status_code"] == "404"
    assert payments.http.post("/pay/o-2").status_code == 404


def test_refund__once_per_key_and_never_more_than_was_paid(payments, checkout):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    payments.http.post("/pay/o-1")
    wish = {"refund_key": "r-1", "amount": 250000, "reason": "x"}
    first = payments.http.post("/v2/o-1/refund", json=wish).json()
    assert (first["status_code"], first["transaction_status"], first["refund_amount"]) == ("200", "refund", "250000.00")
    assert (
        payments.http.post("/v2/o-1/refund", json=wish).json()["refund_chargeback_id"] == first["refund_chargeback_id"]
    )
    assert payments.http.post("/v2/o-1/refund", json={**wish, "refund_key": "r-2"}).json()["status_code"] == "412"
    told = until(lambda: [raw for _, _, raw in checkout[1] if json.loads(raw)["transaction_status"] == "refund"])
    assert json.loads(told[0])["signature_key"] == proof(json.loads(told[0]))


def test_wrong_key__401(payments):
    payments.http.auth = ("other", "")
    assert payments.http.post("/snap/v1/transactions", json=ORDER).status_code == 401
    assert payments.http.get("/v2/o-1/status").status_code == 401


def test_restart__orders_are_kept(payments):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    payments.http.post("/pay/o-1")
    payments.kill()
    payments.start()
    assert payments.http.get("/v2/o-1/status").json()["transaction_status"] == "settlement"


@pytest.mark.parametrize(("mode", "status"), [("down", 503), ("throttle", 429), ("reject", 412)])
def test_misbehaving__no_session_is_made(payments, mode, status):
    payments.http.put("/behaviour", json={"mode": mode})
    assert payments.http.post("/snap/v1/transactions", json=ORDER).status_code == status
    assert payments.http.get("/orders").json()["items"] == []


def test_break_after_accept__the_session_is_there_when_asked_again(payments):
    payments.http.put("/behaviour", json={"mode": "break_after_accept", "times": 1})
    with pytest.raises(httpx2.TransportError):
        payments.http.post("/snap/v1/transactions", json=ORDER)
    assert payments.http.post("/snap/v1/transactions", json=ORDER).status_code == 201
    assert len(payments.http.get("/orders").json()["items"]) == 1


def told(checkout, status):
    """The notification of that status, once it has arrived."""
    return json.loads(
        until(lambda: [raw for _, _, raw in checkout[1] if json.loads(raw)["transaction_status"] == status])[-1]
    )


def test_captured__is_canceled_not_refunded(payments, checkout):
    """A refund is for what is settled; until then Midtrans wants a cancel, which gives all of it back."""
    payments.http.post("/snap/v1/transactions", json=ORDER)
    payments.http.post("/pay/o-1", json={"transaction_status": "capture", "payment_type": "credit_card"})
    wish = {"refund_key": "r-1", "amount": 250000}
    assert payments.http.post("/v2/o-1/refund", json=wish).json()["status_code"] == "412"
    assert payments.http.post("/v2/o-1/cancel").json()["transaction_status"] == "cancel"
    body = told(checkout, "cancel")
    assert (body["status_code"], body["signature_key"]) == ("202", proof(body))


def test_settled__is_refunded_not_canceled(payments):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    payments.http.post("/pay/o-1")
    assert payments.http.post("/v2/o-1/cancel").json()["status_code"] == "412"
    assert payments.http.post("/v2/o-1/expire").json()["status_code"] == "412"
    too_much = {"refund_key": "r-1", "amount": 250001}
    assert payments.http.post("/v2/o-1/refund", json=too_much).json()["status_code"] == "414"


def test_pending__expires_with_407(payments, checkout):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    payments.http.post("/pay/o-1", json={"transaction_status": "pending"})
    assert payments.http.post("/v2/o-1/expire").json()["status_code"] == "407"
    assert payments.http.get("/v2/o-1/status").json()["status_code"] == "407"
    assert told(checkout, "expire")["status_code"] == "202"


def test_parts__are_told_as_the_sum_so_far_and_end_in_the_whole(payments, checkout):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    payments.http.post("/pay/o-1")
    payments.http.post("/pay/o-1", json={"transaction_status": "partial_refund", "refund_amount": "100000.00"})
    payments.http.post("/v2/o-1/refund", json={"refund_key": "r-2", "amount": 50000})
    assert told(checkout, "partial_refund")["refunds"][0]["refund_amount"] == "100000.00"
    until(lambda: [1 for _, _, raw in checkout[1] if json.loads(raw).get("refund_amount") == "150000.00"])
    payments.http.post("/v2/o-1/refund", json={"refund_key": "r-3"})
    whole = told(checkout, "refund")
    assert (whole["refund_amount"], len(whole["refunds"])) == ("250000.00", 3)


def test_a_part_without_its_amount__is_signed_all_the_same(payments, checkout):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    payments.http.post("/pay/o-1")
    payments.http.post("/pay/o-1", json={"transaction_status": "partial_chargeback", "refund_amount": None})
    body = told(checkout, "partial_chargeback")
    assert "refund_amount" not in body
    assert "refunds" not in body
    assert body["signature_key"] == proof(body)


def test_what_the_cycle_forbids__happens_and_is_said(payments):
    payments.http.post("/snap/v1/transactions", json=ORDER)
    assert payments.http.post("/pay/o-1").json()["lawful"] is True
    assert payments.http.post("/pay/o-1", json={"transaction_status": "deny"}).json()["lawful"] is True
    assert payments.http.post("/pay/o-1", json={"transaction_status": "capture"}).json()["lawful"] is False


def test_the_dashboards_button__a_signed_settlement_of_no_order(payments, checkout):
    payments.http.post("/test-notification")
    body = told(checkout, "settlement")
    assert body["order_id"].startswith("payment_notif_test_")
    assert body["signature_key"] == proof(body)


FINISH = "http://127.0.0.1:5173/orders?shop=1"


def page_of(payments, finish: str | None = FINISH):
    """The payment page's path, asked for as checkout does."""
    wish = {**ORDER, **({"callbacks": {"finish": finish}} if finish else {})}
    return httpx2.URL(payments.http.post("/snap/v1/transactions", json=wish).json()["redirect_url"]).path


@pytest.mark.parametrize(("choice", "code"), [("settlement", "200"), ("pending", "201"), ("deny", "202")])
def test_page__a_person_chooses_checkout_is_told_and_they_are_sent_on(payments, checkout, choice, code):
    """Midtrans' "Window redirection": the finish URL with what became of the order."""
    path = page_of(payments)
    assert f'value="{choice}"' in payments.http.get(path).text
    answer = payments.http.post(path, data={"choice": choice}, follow_redirects=False)
    assert answer.status_code == 303
    told = f"shop=1&merchant_id=G000000001&order_id=o-1&status_code={code}&transaction_status={choice}"
    assert answer.headers["location"] == f"http://127.0.0.1:5173/orders?{told}"
    assert json.loads(checkout[1][0][2])["transaction_status"] == choice


def test_page__paid_already_offers_the_way_back_and_no_second_payment(payments, checkout):
    path = page_of(payments)
    payments.http.post(path, data={"choice": "settlement"})
    shown = payments.http.get(path).text
    assert "settlement" in shown
    assert "<button" not in shown
    assert 'href="http://127.0.0.1:5173/orders?shop=1&amp;merchant_id=' in shown
    again = payments.http.post(path, data={"choice": "settlement"}, follow_redirects=False)
    assert again.status_code == 409
    assert len(checkout[1]) == 1


def test_page__without_a_finish_stays(payments):
    path = page_of(payments, finish=None)
    stayed = payments.http.post(path, data={"choice": "settlement"}, follow_redirects=False)
    assert (stayed.status_code, "settlement" in stayed.text) == (200, True)
    assert payments.http.post("/snap/v4/redirection/none", data={"choice": "settlement"}).status_code == 404


@pytest.mark.parametrize("wrong", ["orders", "javascript:alert(1)", 7, "https://"])
def test_session__refuses_a_finish_that_is_no_address(payments, wrong):
    answer = payments.http.post("/snap/v1/transactions", json={**ORDER, "callbacks": {"finish": wrong}})
    assert (answer.status_code, answer.json()["error_messages"]) == (400, ["callbacks.finish must be a valid url"])
