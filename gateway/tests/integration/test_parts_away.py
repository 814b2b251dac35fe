"""What goes on while parts are away: Kafka, a service; and what ends at once when the gateway stops."""

import json

import pytest
from deploy.standins.tests.standin_process import Standin
from gateway.tests.integration.test_sign_in import SARI, _Behind, gateway_of, provider, services_that_are
from gateway.tests.rig import NOWHERE
from tests.e2e.gateway import Browser


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    made: Standin = provider(tmp_path_factory.mktemp("identity"))
    made.start()
    yield made
    made.kill()
    made.http.close()


def items(answer):
    """What a stream tells, as long as it is open."""
    return (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: "))


def test_kafka_away__pages_are_made_and_streams_say_that_they_are_not_live_until_they_end(identity):
    with (
        services_that_are(_Behind) as services,
        gateway_of(identity.url, services, KAFKA_BOOTSTRAP="127.0.0.1:1") as (address, process),
    ):
        browser = Browser(address)
        assert browser.sign_in(SARI, "/sessions").status == 200
        with browser.http.stream("GET", f"{address}/live") as answer:
            told = items(answer)
            assert next(told) == {"type": "not_live"}
            assert browser.open("/readyz").status == 200
            browser.send(browser.open("/sessions"), "/sign-out")
            assert not [one for one in told if one["type"] != "not_live"], "signing out ends it"
        assert browser.http.get(f"{address}/live").status_code == 401
        browser.sign_in(SARI, "/sessions")
        with browser.http.stream("GET", f"{address}/live") as answer:
            told = items(answer)
            assert next(told) == {"type": "not_live"}
            process.terminate()
            assert not [one for one in told if one["type"] != "not_live"], "whole to its end, not cut off"
        browser.http.close()


@pytest.fixture(scope="module")
def window(identity):
    """At a gateway whose checkout is away, and whose other services are behind whatever was seen."""
    with (
        services_that_are(_Behind) as services,
        gateway_of(identity.url, services, CHECKOUT_URL=NOWHERE) as (address, _),
    ):
        browser = Browser(address)
        assert browser.sign_in(SARI, "/sessions").status == 200
        yield browser
        browser.http.close()


def test_service_away__its_pages_say_so_and_others_go_on(window):
    away = window.open("/orders")
    assert (away.status, "does not answer now" in away.words) == (503, True), away.words
    assert window.open("/sessions").status == 200


def test_change_that_a_service_has_not_heard_of__is_waited_for_and_said(window):
    for seen, behind in (("checkout:a-token", True), ("consultation:its-own", False), ("elsewhere:a-token", False)):
        answer = window.http.get(f"{window.gateway}/sessions", headers={"Booking-Seen": seen})
        assert (answer.status_code, "Booking-Behind" in answer.headers) == (200, behind), seen
