"""`booking held` on records that are really held: a poisoned one between good ones, through a real broker."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.kafka_log import append
from tests.e2e.system import Cast, booking, until

pytestmark = [pytest.mark.servers, pytest.mark.e2e]
TRANSACTIONS = "booking.checkout.transactions.v1"
READERS = {"consultation", "notifier"}


def held(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return booking("held", *words, state=state)


def held_of(state: Path, key: str) -> list[dict[str, Any]]:
    """What is held of this key now, as the command lists it."""
    listed = held(state, "list", "--json")
    assert listed.returncode in (0, 1), listed.stderr
    return [item for item in json.loads(listed.stdout) if item["key"] == key]


def held_reasons(story: Cast, key: str) -> set[tuple[str, str]]:
    """(service, reason) of what is held of this key now, as the services tell an admin."""
    return {
        (service, item["reason"])
        for service in READERS
        for item in story.system.get(story.admin, service, "/v1/held-records?limit=200")["items"]
        if item["key"] == key
    }


def test_poison_between_good_ones__is_held_shown_and_discarded_and_what_waited_follows(
    state: Path, story: Cast
) -> None:
    """I13: exactly the key behind the poison waits; other keys flow; a discard lets the key go on, in order."""
    bought, other = story.buy(), story.buy()
    story.consultation_knows(bought)
    append(story.system.endpoints["kafka"], TRANSACTIONS, [(bought["id"], b'{"broken')])
    poisoned = {(service, "undecodable") for service in READERS}
    until("both readers to hold the poison", lambda: held_reasons(story, bought["id"]) == poisoned)
    story.pay(bought)
    story.request(story.pay(other))

    waiting = poisoned | {(service, "gap") for service in READERS}
    until("the payment to wait behind the poison", lambda: held_reasons(story, bought["id"]) == waiting)
    ids = {(h["service"], h["reason"]): h["id"] for h in held_of(state, bought["id"])}
    assert ids.keys() == waiting
    refused = story.system.call(
        story.member, "consultation", "POST", "/v1/sessions", json={"transaction_id": bought["id"]}
    )
    assert refused.json()["code"] == "transaction_not_paid"

    poison = ids["consultation", "undecodable"]
    shown = held(state, "show", poison)
    assert shown.returncode == 0, shown.stderr
    record = json.loads(shown.stdout)
    assert (record["topic"], record["value"]["text"], record["headers"]) == (TRANSACTIONS, '{"broken', [])

    replayed = held(state, "replay", ids["consultation", "gap"])
    assert replayed.returncode != 0, "what stands before it still cannot be read"
    assert f"Record {poison} of the same key is in the way, undecodable" in replayed.stderr

    chosen = ["--topic", "transactions.v1", "--key", bought["id"], "--reason", "undecodable"]
    asked = held(state, "discard", *chosen)
    assert (asked.returncode, held_reasons(story, bought["id"])) == (2, waiting), "nobody can be asked: nothing is done"
    discarded = held(state, "discard", *chosen, "--yes")
    assert discarded.returncode == 0, discarded.stderr
    ended = {f"{ids[service, 'undecodable']} discarded" for service in READERS}
    assert set(discarded.stdout.splitlines()) == {*ended, "discarded 2"}
    until("nothing held of it any more", lambda: not held_reasons(story, bought["id"]))
    assert held_of(state, bought["id"]) == []
    assert story.request(bought)["status"] == "pending_negotiation"
    until("N1: the payment told after all", lambda: len(story.system.mails_to(story.member.email)) >= 2)
    again = held(state, "discard", poison, "--yes")
    assert again.returncode != 0
    assert "already_settled" in again.stdout + again.stderr


def test_unknown__says_where_to_look(state: Path) -> None:
    nowhere = held(state, "show", "01990000-0000-7000-8000-000000000000")
    assert nowhere.returncode != 0
    assert "held list" in nowhere.stdout + nowhere.stderr
