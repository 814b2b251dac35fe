"""The identity provider gives tokens by the standard flows: discovered, asked and checked by libraries of clients."""

import json
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from deploy.standins.tests.standin_process import Standin
from jwt.algorithms import ECAlgorithm

SECRET = "a secret of these tests"
PAGE = "http://127.0.0.1:5173/callback"
SARI = {
    "sub": "0198d2a0-1111-7000-8000-000000000001", "role": ["member"], "name": "Sari Lestari",
    "email": "sari@example.com", "phone_number": "+6281234567890", "locale": "id", "zoneinfo": "Asia/Jakarta",
}  # fmt: skip
EVERYTHING = "openid profile email phone"


def _write_keys(folder, kid):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    (folder / "secrets.json").write_text(json.dumps({"signing_key": pem, "signing_kid": kid}))
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig", "alg": "ES256"}
    (folder / "jwks.json").write_text(json.dumps({"keys": [public]}))


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    _write_keys(folder, "first")
    made: Any = Standin("identity", folder, {})
    made.folder = folder
    made._environment |= {
        "JWKS_FILE": str(folder / "jwks.json"), "SIGNING_FILE": str(folder / "secrets.json"), "JWT_ISSUER": made.url,
        "CLIENT_SECRET": SECRET, "PEOPLE_FILE": str(folder / "people.json"),
    }  # fmt: skip
    made.start()
    yield made
    made.kill()
    made.http.close()


@pytest.fixture
def known(identity):
    """What a client learns from the issuer alone."""
    found = requests.get(f"{identity.url}/.well-known/openid-configuration", timeout=10).json()
    assert found["issuer"] == identity.url, "clients compare it with where they looked"
    return found


def _claims(known, token, audience):
    key = jwt.PyJWKClient(known["jwks_uri"]).get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=["ES256"], audience=audience, issuer=known["issuer"])


def _page(scope=EVERYTHING):
    return OAuth2Session("booking-web", redirect_uri=PAGE, scope=scope, code_challenge_method="S256")


VERIFIER = "v" * 64


def _sent_back(known, page=None, form=SARI, **query):
    """Where the browser is sent after signing in, with its parameters."""
    page = page or _page()
    address, _ = page.create_authorization_url(
        known["authorization_endpoint"], code_verifier=VERIFIER, state="my-state", **query
    )
    shown = requests.get(address, timeout=10)
    assert (shown.status_code, "Sign in" in shown.text) == (200, True)
    answer = requests.post(address, data=form, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def _tokens(known, address, verifier=VERIFIER, page=None):
    return (page or _page()).fetch_token(
        known["token_endpoint"], authorization_response=address, state="my-state", code_verifier=verifier
    )


def test_code__a_person_signs_in_and_the_page_gets_tokens_that_every_library_reads(known):
    address = _sent_back(known, nonce="n-1")
    assert address.startswith(PAGE + "?")
    assert parse_qs(urlsplit(address).query)["state"] == ["my-state"]
    tokens = _tokens(known, address)
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 3600, EVERYTHING)
    access = _claims(known, tokens["access_token"], "booking")
    assert jwt.get_unverified_header(tokens["access_token"])["typ"] == "at+jwt"
    person = {name: value for name, value in SARI.items() if name != "role"}
    assert access.items() >= (person | {"client_id": "booking-web"}).items()
    assert access["roles"] == ["member"]
    assert access["jti"]
    told = _claims(known, tokens["id_token"], "booking-web")
    assert told.items() >= (person | {"nonce": "n-1"}).items()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert requests.get(known["userinfo_endpoint"], headers=bearer, timeout=10).json() == person


def test_scope__tells_no_more_than_was_asked_for(known):
    page = _page("openid")
    access = _claims(known, _tokens(known, _sent_back(known, page), page=page)["access_token"], "booking")
    assert access["sub"] == SARI["sub"]
    assert not access.keys() & {"name", "email", "phone_number", "locale", "zoneinfo"}


def test_code__is_good_once_and_for_who_has_the_verifier(known):
    address = _sent_back(known)
    with pytest.raises(Exception, match="invalid_grant"):
        _tokens(known, address, verifier="w" * 64)
    address = _sent_back(known)
    assert _tokens(known, address)["access_token"]
    with pytest.raises(Exception, match="invalid_grant"):
        _tokens(known, address)


def test_code__without_pkce_or_with_plain_is_none(known):
    query = {"response_type": "code", "client_id": "booking-web", "redirect_uri": PAGE, "state": "s", "scope": "openid"}
    plain = query | {"code_challenge": "c" * 43, "code_challenge_method": "plain"}
    refused = requests.get(known["authorization_endpoint"], params=plain, allow_redirects=False, timeout=10)
    assert "Sign in" not in refused.text
    answer = requests.post(known["authorization_endpoint"], params=query, data=SARI, allow_redirects=False, timeout=10)
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "client_id": "booking-web", "code": code, "redirect_uri": PAGE}
    told = requests.post(known["token_endpoint"], data=form, timeout=10)
    assert (told.status_code, told.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("away", ["https://evil.example/cb", "http://127.0.0.1.evil.example/", "javascript:alert(1)"])
def test_code__is_sent_to_pages_of_this_machine_only(known, away):
    query = {"response_type": "code", "client_id": "booking-web", "redirect_uri": away, "code_challenge": "c" * 43}
    for answer in (
        requests.get(known["authorization_endpoint"], params=query, allow_redirects=False, timeout=10),
        requests.post(known["authorization_endpoint"], params=query, data=SARI, allow_redirects=False, timeout=10),
    ):
        assert answer.status_code == 400
        assert "Location" not in answer.headers


def test_sign_in__takes_who_is_known_by_the_sub_alone_and_refuses_what_is_nobody(known):
    _sent_back(known)
    again = _tokens(known, _sent_back(known, form={"sub": SARI["sub"]}))
    assert _claims(known, again["access_token"], "booking")["name"] == "Sari Lestari"
    address, _ = _page().create_authorization_url(known["authorization_endpoint"], code_verifier=VERIFIER)
    for wrong in ({"sub": str(uuid.uuid4())}, {"sub": "sari", "role": "member"}, {"role": "king"}):
        assert requests.post(address, data=wrong, allow_redirects=False, timeout=10).status_code == 400


def test_sign_in__offers_the_people_of_the_file_as_it_is_now(identity, known):
    budi = {"sub": str(uuid.uuid4()), "roles": ["practitioner"], "name": "Dr. <Budi>"}
    address, _ = _page().create_authorization_url(known["authorization_endpoint"], code_verifier=VERIFIER)
    assert requests.post(address, data={"sub": budi["sub"]}, allow_redirects=False, timeout=10).status_code == 400
    (identity.folder / "people.json").write_text(json.dumps([budi]))
    assert "Dr. &lt;Budi&gt; (practitioner)" in requests.get(address, timeout=10).text
    access = _claims(known, _tokens(known, _sent_back(known, form={"sub": budi["sub"]}))["access_token"], "booking")
    assert (access["name"], access["roles"]) == (budi["name"], budi["roles"])


def _refreshed(known, token, client="booking-web"):
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": token}
    return requests.post(known["token_endpoint"], data=form, timeout=10)


def test_refresh__is_for_who_asked_for_offline_access_and_each_is_good_once(known):
    assert "refresh_token" not in _tokens(known, _sent_back(known))
    page = _page(f"{EVERYTHING} offline_access")
    first = _tokens(known, _sent_back(known, page), page=page)["refresh_token"]
    second = _refreshed(known, first).json()
    access = _claims(known, second["access_token"], "booking")
    assert (access["name"], access["roles"]) == ("Sari Lestari", ["member"])
    third = _refreshed(known, second["refresh_token"]).json()["refresh_token"]
    assert _refreshed(known, first).json()["error"] == "invalid_grant"
    assert _refreshed(known, third).status_code == 400, "a second use ends what came of the same sign-in"


def test_client_credentials__a_server_is_itself_in_the_roles_it_asks_for(known):
    server = OAuth2Session("booking-service", SECRET, scope="service admin")
    tokens = server.fetch_token(known["token_endpoint"], grant_type="client_credentials")
    access = _claims(known, tokens["access_token"], "booking")
    assert (access["roles"], str(uuid.UUID(access["sub"]))) == (["service", "admin"], access["sub"])
    alone = OAuth2Session("booking-service", SECRET).fetch_token(
        known["token_endpoint"], grant_type="client_credentials"
    )
    assert _claims(known, alone["access_token"], "booking")["roles"] == ["service"]
    assert _claims(known, alone["access_token"], "booking")["sub"] == access["sub"], "the same server"


@pytest.mark.parametrize(
    ("client", "secret", "why"),
    [("booking-service", "wrong", "invalid_client"), ("booking-web", None, ""), ("nobody", "x", "invalid_client")],
)
def test_client_credentials__need_the_secret(known, client, secret, why):
    form = {"grant_type": "client_credentials", "client_id": client}
    answer = requests.post(known["token_endpoint"], data=form, auth=(client, secret) if secret else None, timeout=10)
    assert answer.status_code in (400, 401)
    assert why in answer.json()["error"]


def test_rotation__is_writing_the_files_anew(identity, known):
    _write_keys(identity.folder, "second")
    tokens = _tokens(known, _sent_back(known))
    assert jwt.get_unverified_header(tokens["access_token"])["kid"] == "second"
    assert _claims(known, tokens["access_token"], "booking")["sub"] == SARI["sub"]


def test_pages_of_other_origins__may_ask(known):
    asked = requests.get(known["jwks_uri"], headers={"Origin": "http://127.0.0.1:5173"}, timeout=10)
    assert asked.headers["Access-Control-Allow-Origin"] == "*"


def test_userinfo__wants_a_token_of_ours(known):
    for bearer in ("", "Bearer x", "Bearer " + jwt.encode({"sub": "x"}, "k" * 32)):
        answer = requests.get(known["userinfo_endpoint"], headers={"Authorization": bearer}, timeout=10)
        assert answer.status_code == 401
