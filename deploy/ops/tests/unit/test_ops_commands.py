"""What every command of `booking-ops` does before it asks anybody: a sentence, exit code 2, never a traceback."""

import json
import re
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
import typer.main
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from psycopg.errors import ReadOnlySqlTransaction, UndefinedColumn

from booking_contracts.errors import NewerVersion
from booking_ops import failure
from booking_ops.access.page import written
from booking_ops.audit.baseline import Baseline
from booking_ops.audit.figures import Figures
from booking_ops.audit.section import KEPT, LISTED, Section
from booking_ops.cli import app, main
from booking_ops.deployment import SERVICES, Settings, deployment
from booking_outbox import LockBusy, Unpublished

SOMEBODY = "0b8f4b5e-6c57-4d0e-9a1b-2f4f5d9f3c11"  # written: processes that share the tests must collect the same ones
ARGUMENTS = {
    ("held", "show"): ["1"],
    ("held", "replay"): ["1"],
    ("held", "discard"): ["1", "--yes"],
    ("erase",): [SOMEBODY, "--yes"],
    ("access", "password"): ["checkout"],
    ("access", "forget"): ["checkout", "--yes"],
    ("serve",): ["--port", "1"],
    ("restore", "recover"): ["checkout", "--report", "/dev/null/report", "--yes"],
}
AWAY = {
    **{f"{name}_DATABASE_URL": "postgresql://owner@127.0.0.1:1/x" for name in ("CHECKOUT", "CONSULTATION", "NOTIFIER")},
    "CALENDAR_DATABASE_URL": "postgresql://owner@127.0.0.1:1/x",
    **{f"{name}_URL": "http://127.0.0.1:1" for name in ("CHECKOUT", "CONSULTATION", "NOTIFIER", "CALENDAR")},
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "OPERATOR_TOKEN": "secret-token",
}


def every_command():
    root = typer.main.get_group(app)
    context = typer.Context(root)
    found = []
    for name in root.list_commands(context):
        inner = getattr(root.get_command(context, name), "commands", None)
        found += [(name, one) for one in inner] if inner else [(name,)]
    return [one for one in found if one != ("gameday",)]  # which asks nobody: it plays on a stack of its own


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in (*Settings.model_fields, "secrets_dir", "booking_traceback"):
        monkeypatch.delenv(name.upper(), raising=False)


def said(words, capfd):
    code = main(words)
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    return code, err.strip()


ASK_NOBODY = {("access", "show")}


def test_gameday__is_there_in_a_checkout_and_names_its_incidents(capfd):
    """By its name alone: this program knows nothing of the stack of one machine (ADR 22)."""
    code, err = said(["gameday", "no-such-thing"], capfd)
    assert code == 1
    assert err.startswith("There is no incident no-such-thing: it is one of kafka-down, ")


@pytest.mark.parametrize("command", [one for one in every_command() if one not in ASK_NOBODY], ids=" ".join)
def test_nothing_is_set__names_the_variable_and_what_it_should_be(command, capfd):
    code, err = said([*command, *ARGUMENTS.get(command, [])], capfd)
    assert code == 2
    assert " is not set; set it to " in err


@pytest.mark.parametrize(
    "command", [("held", "list"), ("erase",), ("projections",), ("rebuild", "calendar")], ids=" ".join
)
def test_service_that_is_away__a_sentence_without_the_token(command, capfd, monkeypatch):
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    code, err = said([*command, *ARGUMENTS.get(command, [])], capfd)
    assert code == 2
    assert err.startswith("A service can't be used: ")
    assert "secret-token" not in err


def test_setting_that_cannot_be__is_named_and_not_shown(capfd, monkeypatch):
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", "mysql://me:hidden@host/x")
    code, err = said(["audit"], capfd)
    assert (code, err) == (2, "CHECKOUT_DATABASE_URL is wrong (not a postgresql:// address).")


def test_zone_that_there_is_not__is_named(capfd, monkeypatch):
    monkeypatch.setenv("PLATFORM_TIMEZONE", "Asia/Bandung")
    assert said(["audit"], capfd) == (2, "PLATFORM_TIMEZONE is wrong (no such zone).")


def test_token_that_is_no_word__is_named_and_not_shown(capfd, monkeypatch):
    """The HTTP client's refusal of a header quoted it."""
    for name, value in {**AWAY, "OPERATOR_TOKEN": "secret-\ntoken"}.items():
        monkeypatch.setenv(name, value)
    assert said(["held", "list"], capfd) == (2, "OPERATOR_TOKEN is wrong (a token is one word).")


def test_brokers_that_are_no_addresses__are_named(capfd, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "broker-1")
    assert said(["topics", "compare"], capfd) == (2, "KAFKA_BOOTSTRAP is wrong (each must be host:port).")


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (LockBusy("it keeps it"), "Nothing was published: it keeps it. It stands at"),
        (
            Unpublished(f"not read: {KafkaConnectionError('away')!r}"),
            "Kafka did not acknowledge what was published: not",
        ),
        (KafkaConnectionError("no broker answers"), "Kafka can't be used: no broker answers. Is its address right"),
        (KafkaTimeoutError(), "Kafka can't be used: kafka timeout. Is its address right"),
        (TopicAuthorizationFailedError("x"), "Kafka doesn't let this user in, or do that: x. Are KAFKA_"),
        (UnknownTopicOrPartitionError(), "Kafka lacks a topic that is needed"),
        (
            UndefinedColumn("no column a\nLINE 1: SELECT a"),
            "The database is not as this release needs it: no column a.",
        ),
        (ReadOnlySqlTransaction("no"), "PostgreSQL takes no change there: no. Is the address that of a replica"),
        (NewerVersion("Told"), "An event is of a newer release: Told is newer than this release. Use"),
        (ExceptionGroup("several", [LockBusy("busy")]), "Nothing was published: busy."),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_broke__is_a_sentence_without_the_exception_s_name(broken, sentence):
    found, code = failure.said(broken)
    assert code == 2
    assert found.startswith(sentence), found
    assert not re.search(r"\w(?:Error|Exception)\b|LockBusy|Unpublished|LINE", found), found


@pytest.mark.parametrize("package", SERVICES.values())
def test_setting_of_the_services_too__has_their_default(package):
    """What a deployment never sets means the same to its operator's programs as to its services."""
    theirs = import_module(f"{package}.settings").Settings.model_fields
    common = Settings.model_fields.keys() & theirs.keys() - {"kafka_bootstrap"}
    assert "platform_timezone" in common
    assert {name: Settings.model_fields[name].default for name in common} == {
        name: theirs[name].default for name in common
    }


def test_setting_of_the_services_too__reaches_the_service_that_a_command_wires(monkeypatch):
    """Not the default alone: what `rebuild`, `republish` and `restore` do is done as the services do it."""
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", AWAY["CHECKOUT_DATABASE_URL"])
    monkeypatch.setenv("KAFKA_BOOTSTRAP", AWAY["KAFKA_BOOTSTRAP"])
    given = {"PLATFORM_TIMEZONE": "America/New_York", "RELAY_COMPRESSION": "gzip", "ERASURE_RESEND_SECONDS": "7"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    wired = deployment().service("checkout").settings
    assert {name: str(getattr(wired, name.lower())) for name in given} == given


def test_settings__come_from_files_too(capfd, monkeypatch, tmp_path):
    (tmp_path / "checkout_database_url").write_text("not an address")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    assert said(["audit"], capfd) == (2, "CHECKOUT_DATABASE_URL is wrong (not a postgresql:// address).")


@pytest.mark.parametrize(
    "words",
    [["erase", SOMEBODY], ["republish", "--accept-topic"]],
    ids=lambda words: words[0],
)
def test_what_cannot_be_taken_back__is_not_done_where_nobody_can_be_asked(words, capfd, monkeypatch):
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    code, err = said(words, capfd)
    assert code == 2
    assert err.endswith("give --yes.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["held", "discard"], "Give ids, or choose by"),
        (["restore", "recover", "calendar", "--report", "r"], "There is nothing to recover of calendar"),
        (["restore", "recover", "checkout", "--report", "/dev/null", "--yes"], "/dev/null is there already"),
        (["held", "discard", "1", "--key", "2"], "Give ids, or choose by"),
        (["held", "list", "--reason", "poison"], "There is no reason poison"),
        (["held", "list", "--service", "gateway"], "There is no service gateway"),
        (["topics", "create", "--topic", "sessions"], "There is no topic sessions"),
        (["access", "compare", "--only", "gateway"], "There is no gateway: it is one of kafka, checkout"),
        (["access", "password", "somebody"], "There is nobody named somebody: it is one of analytics"),
        (["access", "forget", "checkout", "--mechanism", "PLAIN"], "There is no mechanism PLAIN"),
        (["republish", "--key", SOMEBODY, "--from-key", SOMEBODY], "Give --key, or --from-key"),
        (["audit", "--accept"], "--accept needs --baseline"),
        (["audit", "--baseline", "/nowhere/at-all"], "There is no baseline"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_choice_that_means_nothing__is_refused(words, sentence, capfd):
    code, err = said(words, capfd)
    assert code == 2
    assert err.startswith(sentence)


def test_page_of_access__has_the_tables_as_they_are():
    page = (Path(__file__).parents[4] / "docs/access.md").read_text("utf-8")
    assert page == written(page), "run `make generate`"


def spoilt(count):
    section = Section("topic")
    for number in range(count):
        section.differ("I4", f"event {number}: lost", "booking-ops republish")
    return section


def test_differences__are_listed_up_to_twenty_of_a_kind_and_counted_beyond_what_is_kept():
    section = spoilt(KEPT + 7)
    section.differ("I5", "disordered", "report it")
    assert len(section.listed()) == LISTED + 1
    assert (len(section.differences), section.hidden, section.differing) == (KEPT + 1, 7, KEPT + 8)
    assert not section.proven


def test_baseline__accepts_word_for_word_what_it_was_told_and_nothing_new(tmp_path):
    file, at = tmp_path / "accepted.json", datetime(2026, 12, 1, tzinfo=UTC)
    known = Baseline.read(file, must_exist=False)
    assert known.accept([spoilt(3)], because="a disk", at=at) == 3
    known.write(file)
    assert {one["because"] for one in json.loads(file.read_text())["accepted"]} == {"a disk"}
    section = spoilt(4)
    Baseline.read(file).apply(section)
    assert [one.what for one in section.differences] == ["event 3: lost"]
    assert (len(section.accepted), section.proven) == (3, False)
    elsewhere = Section("another topic", differences=list(spoilt(1).differences))
    Baseline.read(file).apply(elsewhere)
    assert not elsewhere.proven


def test_figures__are_of_the_last_audit_and_counted_over_all(tmp_path):
    figures, at = Figures(), datetime(2026, 12, 1, tzinfo=UTC)
    figures.tell([spoilt(3)], at=at, seconds=2, proven=False)
    figures.tell([spoilt(0)], at=at, seconds=2, proven=True)
    figures.write(tmp_path / "audit.prom")
    lines = (tmp_path / "audit.prom").read_text().splitlines()
    assert 'booking_audit_differences{section="topic"} 0.0' in lines
    assert "booking_audit_proven 1.0" in lines
    (finished,) = [line for line in lines if line.startswith("booking_audit_finished_timestamp_seconds ")]
    assert float(finished.split()[1]) == at.timestamp()
    assert 'booking_audit_runs_total{outcome="different"} 1.0' in lines
    assert 'booking_audit_runs_total{outcome="impossible"} 0.0' in lines
