"""Secrets are made once, for their owner alone, and sign what the services accept."""

import json
import stat
import uuid

import jwt
import pytest

from booking_local.layout import Layout
from booking_local.stack import secrets


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    made.make()
    return made


def test_second_load__the_same_secrets(layout):
    assert secrets.load_or_make(layout) == secrets.load_or_make(layout) == secrets.load(layout)


def test_file__readable_by_its_owner_alone(layout):
    secrets.load_or_make(layout)
    assert stat.S_IMODE(layout.secrets.stat().st_mode) == 0o600


def test_folder_of_an_older_version__what_is_new_is_added_and_the_rest_stays(layout):
    first = secrets.load_or_make(layout)
    kept = json.loads(layout.secrets.read_text())
    del kept["feed_secret"]
    layout.secrets.write_text(json.dumps(kept))
    second = secrets.load_or_make(layout)
    assert second.feed_secret
    assert (second.signing_key, second.postgres_roles) == (first.signing_key, first.postgres_roles)


def test_two_folders__no_secret_in_common(tmp_path):
    found = []
    for name in ("one", "two"):
        layout = Layout(tmp_path / name)
        layout.make()
        found.append(secrets.load_or_make(layout))
    assert found[0].signing_key != found[1].signing_key
    assert not set(found[0].postgres_roles.values()) & set(found[1].postgres_roles.values())


def test_token__verifies_with_the_published_key_set(layout):
    made = secrets.load_or_make(layout)
    sub = str(uuid.uuid4())
    token = secrets.sign(made, roles=["member"], sub=sub, name="Sari", email=None)
    (key,) = json.loads(layout.jwks.read_text())["keys"]
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["ES256"], audience="booking", issuer=secrets.ISSUER)
    assert (claims["sub"], claims["roles"], claims["name"]) == (sub, ["member"], "Sari")
    assert "email" not in claims
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
