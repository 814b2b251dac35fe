"""The session's cookie: nobody reads or changes it, and it ends."""

import time

import pytest
import time_machine
from gateway.tests.rig import settings_for

from booking_gateway.signin.sealed import Seal
from booking_gateway.signin.session import Cookies, Session


def somebody(**other):
    given = {"sub": "s", "name": "Sari", "roles": ("member",), "access": "a-token", "refresh": "r-token"}
    return Session(**{**given, "expires": time.time() + 600, "until": time.time() + 3600, **other})


def kept(lines):
    return {one.split("=", 1)[0]: one.split("=", 1)[1].split(";")[0] for one in lines}


def test_session__comes_back_as_it_was_and_shows_nothing():
    cookies, session = Cookies(settings_for()), somebody()
    lines = cookies.write(session, {})
    assert cookies.read(kept(lines)) == session
    assert all("HttpOnly" in one and "SameSite=Lax" in one for one in lines)
    assert not any(word in str(lines) for word in ("a-token", "r-token", "Sari"))


def test_session__of_https_is_for_this_host_alone():
    lines = Cookies(settings_for(public_url="https://booking.example")).write(somebody(), {})
    assert all(one.startswith("__Host-booking-") and "; Secure" in one and "Path=/;" in one for one in lines)


def test_session__longer_than_a_cookie_is_cut_and_a_shorter_one_takes_the_rest_away():
    cookies, session = Cookies(settings_for()), somebody(access="a" * 6000)
    long = kept(cookies.write(session, {}))
    assert len(long) > 1
    assert all(len(name) + len(value) < 4096 for name, value in long.items())
    assert cookies.read(long) == session
    lines = cookies.write(somebody(), long)
    assert [one for one in lines if "Max-Age=0" in one]
    with pytest.raises(ValueError, match="too long"):
        cookies.write(somebody(access="a" * 30000), {})


def test_session__that_was_changed_or_is_anothers_is_none():
    cookies = Cookies(settings_for())
    (name, text), *_ = kept(cookies.write(somebody(), {})).items()
    for at in (5, len(text) // 2, len(text) - 2):
        other = "A" if text[at] != "A" else "B"
        assert cookies.read({name: text[:at] + other + text[at + 1 :]}) is None
    assert Cookies(settings_for(session_secret="t" * 40)).read({name: text}) is None
    assert cookies.read({name: Seal("s" * 40, "sign-in").seal({}, 60)}) is None, "another kind"
    assert cookies.read({}) is None


def test_session__ends():
    cookies, session = Cookies(settings_for()), somebody()
    lines = kept(cookies.write(session, {}))
    with time_machine.travel(session.until + 1):
        assert cookies.read(lines) is None
