"""The Cloud API's stand-in answers and notifies as Meta does."""

import hashlib
import hmac
import json

import httpx2
import pytest
from deploy.standins.tests.receiver import receiver
from deploy.standins.tests.standin_process import standin, until

PATH = "/v23.0/100000000000001/messages"
TEXT = {"messaging_product": "whatsapp", "to": "+6281234567890", "type": "text", "text": {"body": "Halo"}}


@pytest.fixture
def webhooks():
    with receiver(statuses=[503]) as (url, received):
        yield url, received


@pytest.fixture
def whatsapp(tmp_path, webhooks):
    settings = {"WHATSAPP_TOKEN": "t", "WHATSAPP_APP_SECRET": "s3cret", "WEBHOOK_URL": f"{webhooks[0]}/hook"}
    with standin("whatsapp", tmp_path, **settings) as running:
        running.http.headers["Authorization"] = "Bearer t"
        yield running


def behave(whatsapp, **wish):
    assert whatsapp.http.put("/behaviour", json=wish).status_code == 200


def test_ok__wamid_and_the_body_as_it_was_sent(whatsapp):
    answer = whatsapp.http.post(PATH, json={**TEXT, "biz_opaque_callback_data": "n1"}).json()
    assert answer["contacts"] == [{"input": "+6281234567890", "wa_id": "6281234567890"}]
    (item,) = whatsapp.http.get("/messages").json()["items"]
    assert item["wamid"] == answer["messages"][0]["id"]
    assert (item["text"], item["biz_opaque_callback_data"]) == (TEXT["text"], "n1")
    assert item["received_at"]


def test_webhook__signed_over_the_raw_bytes_and_repeated_after_a_503(whatsapp, webhooks):
    wamid = whatsapp.http.post(PATH, json={**TEXT, "biz_opaque_callback_data": "n1"}).json()["messages"][0]["id"]

    def statuses():
        found = [json.loads(body)["entry"][0]["changes"][0]["value"]["statuses"][0] for _, _, body in webhooks[1]]
        return found if {one["status"] for one in found} == {"sent", "delivered"} and len(found) > 2 else None

    found = until(statuses)
    assert {one["id"] for one in found} == {wamid}
    assert {one["biz_opaque_callback_data"] for one in found} == {"n1"}
    for _, headers, body in webhooks[1]:
        expected = "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert headers["X-Hub-Signature-256"] == expected


def test_fail_later__taken_and_then_told_as_failed(whatsapp, webhooks):
    """As Meta does for an account that is locked or has not paid."""
    behave(whatsapp, mode="fail_later", code=131042, times=1)
    first = whatsapp.http.post(PATH, json=TEXT).json()["messages"][0]["id"]
    second = whatsapp.http.post(PATH, json=TEXT).json()["messages"][0]["id"]

    def told():
        found = [json.loads(body)["entry"][0]["changes"][0]["value"]["statuses"][0] for _, _, body in webhooks[1]]
        ends = {one["id"] for one in found if one["status"] in ("failed", "delivered")}
        return found if ends == {first, second} else None

    found = until(told)
    assert {(one["status"], one["errors"][0]["code"]) for one in found if one["id"] == first} == {("failed", 131042)}
    assert "failed" not in {one["status"] for one in found if one["id"] == second}


def test_handshake__no_status_before_the_webhook_has_repeated_a_challenge(tmp_path):
    """As Meta verifies an address: `hub.challenge` back to whoever sent the right `hub.verify_token`."""
    replies = [lambda _: (403, "no"), lambda _: (200, "something else"), lambda asked: (200, asked["hub.challenge"])]
    with receiver(challenges=replies) as (url, received):
        settings = {"WHATSAPP_APP_SECRET": "s3cret", "WEBHOOK_URL": f"{url}/hook", "WHATSAPP_VERIFY_TOKEN": "v&1"}
        with standin("whatsapp", tmp_path, **settings) as running:
            running.http.post(PATH, json=TEXT)
            until(lambda: len([body for _, _, body in received if body]) == 2)
    asked, told = received[:3], received[3:]
    assert {path.partition("?")[0] for path, _, body in asked if not body} == {"/hook"}
    assert all("hub.mode=subscribe" in path and "hub.verify_token=v%261" in path for path, _, _ in asked)
    assert all(body for _, _, body in told)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"messaging_product": "sms"}, 400, 100),
        ({"to": "not a number"}, 400, 131009),
        ({"type": "template"}, 400, 131008),
        ({"text": {"body": ""}}, 400, 131009),
    ],
)
def test_bad_request__metas_error_body(whatsapp, change, status, code):
    answer = whatsapp.http.post(PATH, json={**TEXT, **change})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_wrong_token__190(whatsapp):
    answer = whatsapp.http.post(PATH, json=TEXT, headers={"Authorization": "Bearer other"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"mode": "down"}, 503, 131016),
        ({"mode": "throttle"}, 429, 130429),
        ({"mode": "throttle", "code": 131056}, 400, 131056),
        ({"mode": "reject"}, 400, 131026),
    ],
)
def test_misbehaving__nothing_is_taken(whatsapp, wish, status, code):
    behave(whatsapp, **wish)
    answer = whatsapp.http.post(PATH, json=TEXT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert whatsapp.http.get("/messages").json()["items"] == []


def test_break_after_accept__taken_and_the_connection_reset(whatsapp):
    behave(whatsapp, mode="break_after_accept")
    with pytest.raises(httpx2.TransportError):
        whatsapp.http.post(PATH, json=TEXT)
    assert len(whatsapp.http.get("/messages").json()["items"]) == 1


def test_slow__a_caller_that_gave_up_is_not_served(whatsapp):
    behave(whatsapp, mode="slow", seconds=0.4, times=1)
    with pytest.raises(httpx2.ReadTimeout):
        whatsapp.http.post(PATH, json=TEXT, timeout=0.1)
    behave(whatsapp, mode="slow", seconds=0.5)
    whatsapp.http.post(PATH, json={**TEXT, "to": "+6281200000000"})
    assert [one["to"] for one in whatsapp.http.get("/messages").json()["items"]] == ["+6281200000000"]


def test_restart__messages_are_kept(whatsapp):
    whatsapp.http.post(PATH, json=TEXT)
    whatsapp.kill()
    whatsapp.start()
    assert len(whatsapp.http.get("/messages").json()["items"]) == 1


def template(name="paid", language="id", texts=("Sari", "Rp250.000")):
    parameters = [{"type": "text", "text": text} for text in texts]
    components = [{"type": "body", "parameters": parameters}]
    content = {"name": name, "language": {"code": language}, "components": components}
    return {"messaging_product": "whatsapp", "to": "+6281234567890", "type": "template", "template": content}


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        (template(), 200, None),
        (template(name="payed"), 404, 132001),
        (template(language="fr"), 404, 132001),
        (template(texts=["Sari"]), 400, 132000),
        (template(texts=["Sari", "Rp\n250.000"]), 400, 132018),
        (template(texts=["Sari", "Rp     250.000"]), 400, 132018),
    ],
)
def test_template__only_as_it_was_approved(tmp_path, message, status, code):
    approved = tmp_path / "templates.json"
    approved.write_text(json.dumps({"paid": {"parameters": ["a", "b"], "body": {"id": "Halo {{1}} {{2}}"}}}))
    with standin("whatsapp", tmp_path, WHATSAPP_TEMPLATES=str(approved)) as running:
        answer = running.http.post(PATH, json=message)
    assert answer.status_code == status, answer.text
    assert answer.json().get("error", {}).get("code") == code
