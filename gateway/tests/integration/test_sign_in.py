"""Signing in at a real provider: the code comes back to who asked, tokens stay with the gateway and are renewed."""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from deploy.standins.tests.standin_process import Standin
from jwt.algorithms import ECAlgorithm
from tests.e2e.gateway import Browser
from tests.e2e.system import Person

from booking_local.servers.ports import free_port

SARI = Person(uuid.UUID("0198d2a0-1111-7000-8000-000000000001"), "member", "", "Sari Lestari", "sari@example.com")


def provider(folder, **settings):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    (folder / "secrets.json").write_text(json.dumps({"signing_key": pem, "signing_kid": "k"}))
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "k", "use": "sig", "alg": "ES256"}
    (folder / "jwks.json").write_text(json.dumps({"keys": [public]}))
    files = {"JWKS_FILE": str(folder / "jwks.json"), "SIGNING_FILE": str(folder / "secrets.json")}
    made = Standin("identity", folder, {})
    made._environment |= {**files, "JWT_ISSUER": made.url, "CLIENT_SECRET": "x", **settings}
    return made


class _Behind(BaseHTTPRequestHandler):
    """Every service at once: whoever has seen a change is behind, and stays so, as while Kafka is away."""

    def do_GET(self):
        if "Consistency-Token" in self.headers:
            problem = {"type": "urn:booking:problem:not_yet_visible", "title": "x", "status": 503, "detail": "x"}
            self._answer(503, {**problem, "instance": "/", "code": "not_yet_visible"}, "application/problem+json")
        elif self.path.startswith("/v1/me"):
            contact = {"id": str(SARI.sub), "name": "Sari", "email": None, "phone": None, "version": 1}
            self._answer(200, {**contact, "locale": "en", "timezone": "Asia/Jakarta"})
        elif self.path.startswith("/v1/preferences"):
            self._answer(200, {"channels": {"email": True, "whatsapp": False}, "version": 1})
        else:
            self._answer(200, {"items": [], "next_cursor": None})

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def _answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Consistency-Token", "a-token")
        self.send_header("Retry-After", "1")
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format, *args):  # noqa: A002 - the library's word
        pass


class _Broken(BaseHTTPRequestHandler):
    """What stands where services should: it answers at once, and nothing of use."""

    def do_GET(self):
        self.send_error(500)

    do_PUT = do_GET  # noqa: N815 - the library's word

    def log_message(self, format, *args):  # noqa: A002 - as above
        pass


@contextmanager
def services_that_are(kind):
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def gateway_of(issuer, services, **other):
    """A gateway as a process, with this provider, and every service there."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    urls = {f"{name}_URL": services for name in ("CHECKOUT", "CONSULTATION", "NOTIFIER", "CALENDAR")}
    own = {"PUBLIC_URL": address, "OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": "booking-web", "HTTP_PORT": str(port)}
    own |= {"SESSION_SECRET": "s" * 40, **other}
    process = subprocess.Popen(
        [sys.executable, "-m", "booking_gateway"], env={**os.environ, **urls, **own}, stdout=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                assert httpx2.get(f"{address}/readyz", trust_env=False).status_code == 200
                break
            except httpx2.TransportError:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
        yield address, process
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A provider whose tokens are stale at once: each page renews them."""
    identity = provider(tmp_path_factory.mktemp("identity"), TOKEN_SECONDS="30")
    identity.start()
    with services_that_are(_Broken) as services, gateway_of(identity.url, services) as (address, _):
        yield identity, address
    identity.kill()
    identity.http.close()


@pytest.fixture
def window(world):
    made = Browser(world[1])
    yield made
    made.http.close()


def session_of(browser):
    return {one.name: one.value for one in browser.http.cookies.jar if one.name[-2:] == "-0"}


def test_sign_in__leads_back_and_shows_no_token(window):
    page = window.sign_in(SARI, "/profile")
    assert page.address.endswith("/profile")
    assert (page.status, "Sari Lestari" in page.words) == (503, True), "signed in, and checkout is away"
    jar = list(window.http.cookies.jar)
    assert all("eyJ" not in str(one.value).split(".")[1] for one in jar)
    assert "eyJ" not in page.text + page.address
    assert not [one for one in jar if "-in-" in one.name], "the attempt is done"
    assert window.open("/").status == 503, "to the services"


def test_tokens__are_renewed_and_two_requests_at_once_share_the_answer(window):
    window.sign_in(SARI, "/profile")
    before = session_of(window)
    with ThreadPoolExecutor(4) as pool:
        jars = [httpx2.Client(trust_env=False, cookies=dict(before), timeout=20) for _ in range(4)]
        answers = list(pool.map(lambda one: one.get(f"{window.gateway}/profile"), jars))
    assert [one.status_code for one in answers] == [503] * 4, "nobody is sent to sign in"
    for one in jars:
        one.close()
    assert window.open("/profile").status == 503


def test_session__whose_tokens_cannot_be_renewed_ends_and_a_form_is_kept(world, window):
    identity, _ = world
    window.sign_in(SARI, "/profile")
    identity.kill()
    identity.start()  # it has forgotten all refresh tokens
    typed = {"key": "k", "name": "Sari & <Lestari>", "version": '"1"'}
    page = window.post(f"{window.gateway}/profile", typed)
    assert (page.status, page.address.endswith("/profile")) == (401, True)
    assert dict(page.form("/profile").fields) == typed
    asked = window.open("/profile?a=b")
    assert asked.address.startswith(identity.url)
    window.sign_in(SARI, "/signed-in")
    assert window.send(page, "/profile").status == 503, "taken, by a gateway without services"


def test_callback__of_another_browser_or_twice_signs_nobody_in(world, window):
    other = Browser(world[1])
    page = window.open("/sign-in")
    form = {"sub": str(SARI.sub), "role": "member"}
    sent = window.http.post(page.address, data=form, headers={"Origin": world[0].url})
    callback = sent.headers["Location"]
    stolen = other.open(callback)
    assert (stolen.status, session_of(other)) == (400, {})
    assert window.open(callback).status == 503, "in"
    assert window.open(callback).status == 400, "a code is good once"
    for wrong in ("?state=x&code=y", "?error=access_denied", ""):
        assert other.open(f"/sign-in/callback{wrong}").status == 400
    other.http.close()


def test_next__leads_nowhere_else(world, window):
    page = window.sign_in(SARI, "//evil.example/")
    assert page.address.startswith(world[1])


def test_two_tabs__sign_in_side_by_side(world, window):
    first, second = window.open("/sign-in?next=/profile"), window.open("/sign-in?next=/signed-in")
    form = {"sub": str(SARI.sub), "role": "member"}
    assert window.post(first.address, form).address.endswith("/profile")
    assert window.post(second.address, form).address.endswith("/signed-in")


def test_sign_out__forgets(world, window):
    page = window.sign_in(SARI, "/signed-in")
    out = window.send(page, "/sign-out")
    assert session_of(window) == {}
    assert out.status == 200
    assert window.open("/profile").address.startswith(world[0].url)


def test_provider__may_be_reached_by_another_name_than_browsers_know(tmp_path):
    outside = "http://identity.invalid"
    identity = provider(tmp_path, JWT_ISSUER=outside)
    identity.start()
    with (
        services_that_are(_Broken) as services,
        gateway_of(outside, services, OIDC_INTERNAL_URL=identity.url) as (address, _),
    ):
        browser = Browser(address)
        sent = browser.http.get(f"{address}/sign-in?next=/signed-in").headers["Location"]
        assert sent.startswith(f"{outside}/authorize?"), "the browser goes there by the name that it knows"
        form = {"sub": str(SARI.sub), "role": "member"}
        back = browser.http.post(sent.replace(outside, identity.url), data=form).headers["Location"]
        assert browser.open(back).address.endswith("/signed-in")
        assert session_of(browser)
        browser.http.close()
    identity.kill()
    identity.http.close()


def test_being_behind__is_no_error_and_is_said(world):
    with services_that_are(_Behind) as services, gateway_of(world[0].url, services) as (address, _):
        browser = Browser(address)
        assert browser.sign_in(SARI, "/sessions").status == 200
        changed = browser.send(browser.open("/profile"), "/profile", name="Sari L")
        assert (changed.status, "still on their way" in changed.words) == (200, False)
        behind = browser.open("/sessions")
        assert (behind.status, "still on their way" in behind.words) == (200, True), behind.words
        browser.http.close()


def test_logs__have_no_code_and_no_token(tmp_path):
    identity = provider(tmp_path)
    identity.start()
    with services_that_are(_Broken) as services, gateway_of(identity.url, services) as (address, process):
        browser = Browser(address)
        browser.sign_in(SARI, "/profile")
        browser.open("/sign-in/callback?state=the-state&code=the-code")
        browser.http.close()
        process.terminate()
        assert process.stdout
        told = process.stdout.read().decode()
    lines = [json.loads(line) for line in told.splitlines()]
    assert {one["service"] for one in lines} == {"gateway"}
    assert [one for one in lines if one.get("route") == "/profile" and one["status"] == 503]
    assert not any(word in told for word in ("the-code", "the-state", "eyJ", "Sari"))
    identity.kill()
    identity.http.close()
