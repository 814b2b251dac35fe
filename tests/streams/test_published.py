"""A break of the streams' published contract is refused after the commit too: the baseline is not what HEAD says."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.streams.breaking import Contract, breaks
from tests.streams.publish import HISTORY, PUBLISHED, committed, history, problems, publish, published, refusal

from booking_contracts.generate import PACKAGE, VERSION

CONTRACTS = PACKAGE.parents[1]
ROOT = CONTRACTS.parents[1]
HOW = "publish a new version of the type instead, or break knowingly: tests/streams/publish.py"
SOURCES = "shared/contracts/src/booking_contracts"
GENERATE_COMMIT_CHECK = """
import subprocess, sys
from booking_contracts import generate
from tests.streams import publish
sys.argv = ["generate"]
assert generate.main() == 0
subprocess.run(["git", "add", "."], check=True)
subprocess.run(["git", "commit", "-qm", "Changed the streams"], check=True)
sys.exit(publish.main(["--check"]))
"""


def test_contract__keeps_what_was_published():
    assert problems() is None, HOW


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A clone's part that the contract is made of, committed."""
    root = tmp_path_factory.mktemp("clone")
    shutil.copytree(CONTRACTS, root / "shared/contracts", ignore=shutil.ignore_patterns("__pycache__", "tests"))
    shutil.copytree(ROOT / "tests/streams", root / "tests/streams", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "docs").mkdir()
    shutil.copy(ROOT / "docs/events.md", root / "docs")
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "Began")):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture
def scratch(checkout: Path, tmp_path: Path) -> Path:
    """A clone of one's own to break."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", checkout, clone], check=True)
    for key, value in (("user.name", "Somebody"), ("user.email", "somebody@example.com")):
        subprocess.run(["git", "config", key, value], cwd=clone, check=True)
    return clone


def committed_and_checked(clone: Path) -> tuple[int, str]:
    """Generate, commit, ask: exit code and words."""
    environment = {**os.environ, "PYTHONPATH": f"{clone / 'shared/contracts/src'}:{clone}"}
    done = subprocess.run(
        [sys.executable, "-c", GENERATE_COMMIT_CHECK], cwd=clone, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    left = subprocess.run(["git", "status", "--short"], cwd=clone, capture_output=True, text=True, check=True).stdout
    assert left == "", done.stderr
    return done.returncode, done.stderr


def change(clone: Path, file: str, old: str, new: str) -> None:
    path = clone / SOURCES / file
    text = path.read_text("utf-8")
    assert old in text, "the case no longer fits the code"
    path.write_text(text.replace(old, new, 1), "utf-8")


BREAKS = {
    "a field removed": (
        "sessions.py", "    started_at: Instant\n", "",
        "SessionStarted.v1 started_at was removed",
    ),
    "an optional field removed": (
        "sessions.py", "    previous: PreviousTime | None = None\n", "",
        "PractitionerChanged.v1 previous was removed",
    ),
    "a field renamed": (
        "sessions.py", "    has_notes: bool\n", "    active: bool\n",
        "ResultUploaded.v1 has_notes was removed",
    ),
    "a field newly required": (
        "sessions.py", "    started_at: Instant\n", "    started_at: Instant\n    person_id: UUID\n",
        "SessionStarted.v1 person_id became required",
    ),
    "a field that may be missing now": (
        "sessions.py", "    started_at: Instant\n", "    started_at: Instant | None = None\n",
        "SessionStarted.v1 started_at is no longer always there",
    ),
    "an enumeration that grew": (
        "sessions.py", "fold: Literal[0, 1] | None", "fold: Literal[0, 1, 2] | None",
        "SessionScheduled.v1 fold: enum was [0, 1], is [0, 1, 2]",
    ),
    "another type of a field": (
        "sessions.py", "    has_link: bool\n", "    has_link: str\n",
        "ResultUploaded.v1 has_link: type was boolean, is string",
    ),
    "a field within a field removed": (
        "sessions.py", "    previous: PreviousSchedule\n", "    previous: PreviousTime\n",
        "SessionRescheduled.v1 previous ",
    ),
    "another unit": (
        "glossary.py", 'answer a request.", "minutes"', 'answer a request.", "seconds"',
        "TransactionPaid.v2 request_limit_minutes: x-unit was minutes, is seconds",
    ),
    "other decimals of a currency": (
        "money.py", '"IDR": 0', '"IDR": 2',
        "TransactionPaid.v2 amount currency: x-decimals was ",
    ),
    "personal data that is called none": (
        "glossary.py", '"user_id": Meaning("The member.", None, _PERSON)', '"user_id": Meaning("The member.")',
        "TransactionPaid.v2 user_id: x-personal-data was pseudonym, is None",
    ),
    "a type dropped": (
        "topics.py", "        ResultReplaced,\n        SessionCanceled", "        SessionCanceled",
        "booking.consultation.sessions.v1: ResultReplaced was removed",
    ),
    "a topic dropped": (
        "topics.py", "    USER_SCHEDULE,\n    ASSESSMENTS", "    ASSESSMENTS",
        "the topic booking.calendar.user-schedule.v1 was removed",
    ),
    "a topic renamed": (
        "topics.py", '"booking.assessments.v1"', '"booking.assessments.v2"',
        "the topic booking.assessments.v1 was removed",
    ),
    "another retention": (
        "topics.py", "str(90 * _DAY_MS)", "str(30 * _DAY_MS)",
        "booking.notifier.notifications.v1: retention.ms was 7776000000, is 2592000000",
    ),
    "more partitions": (
        "topics.py", "partitions: int = 6", "partitions: int = 12",
        "booking.consultation.sessions.v1: partitions was 6, is 12",
    ),
    "another key": (
        "topics.py", 'key="session_id",\n    source="/booking/consultation"',
        'key="transaction_id",\n    source="/booking/consultation"',
        "SessionScheduled: the key was ",
    ),
    "a header gone": (
        "generate.py", 'traceparent": {"type"', 'tracestate": {"type"',
        "header traceparent was removed",
    ),
    "a header that may be missing now": (
        "generate.py", 'optional = {"traceparent"}', 'optional = {"traceparent", "ce_metadata"}',
        "header ce_metadata is no longer always there",
    ),
    "another source": (
        "topics.py", 'source="/booking/notifier"', 'source="/booking/messages"',
        "header ce_source: const was /booking/notifier, is /booking/messages",
    ),
    "a data team that may read it no more": (
        "topics.py", '    about="The events of FeedbackSessions.",', '    analytics=False,\n    about="Of sessions.",',
        "booking.consultation.sessions.v1: a data team may read it no more",
    ),
    "a header's part gone": (
        "generate.py", '"causation_id": {"type"', '"because_of": {"type"',
        "header ce_metadata causation_id was removed",
    ),
    "a whole number that may be a fraction": (
        "event.py", "Attempt = Annotated[int, Field(ge=0, le=2**31 - 1)]", "Attempt = Annotated[float, Field(ge=0)]",
        "NotificationSent.v1 attempt: type was integer, is number",
    ),
    "a shorter text": (
        "event.py", "min_length=1, max_length=200", "min_length=1, max_length=100",
        "PaymentDeclined.v1 code: maxLength was 200, is 100",
    ),
    "a state's field removed": (
        "sessions.py", "    meeting_host: Code | None = None\n", "",
        "SessionState.v1 meeting_host was removed",
    ),
    "a new version in place of the old": (
        "sessions.py", "    started_at: Instant\n", "    started_at: Instant\n    TYPE_VERSION = 2\n",
        "SessionStarted: com.booking.consultation.SessionStarted.v1 is written no more, ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_break__is_refused_once_committed(scratch: Path, what: str):
    file, old, new, sentence = BREAKS[what]
    change(scratch, file, old, new)
    code, said = committed_and_checked(scratch)
    assert code == 1, said
    assert sentence in said
    assert " is read by " in said


def test_break__says_whom_it_concerns(scratch: Path):
    for file, old, new, _ in (BREAKS["a field removed"], BREAKS["another retention"], BREAKS["a topic dropped"]):
        change(scratch, file, old, new)
    _, said = committed_and_checked(scratch)
    assert {line.strip() for line in said.splitlines() if " is read by " in line} == {
        "booking.consultation.sessions.v1 is read by checkout, notifier, calendar-projector, gateway, a data team",
        "booking.notifier.notifications.v1 is read by a data team",
        "booking.calendar.user-schedule.v1 is read by whoever was told of it",
    }


def test_optional_field__passes_under_a_higher_version_alone(scratch: Path):
    """Two packages of one version would say two things."""
    change(scratch, "sessions.py", "    started_at: Instant\n", "    started_at: Instant\n    bio: str | None = None\n")
    code, said = committed_and_checked(scratch)
    assert code == 1
    assert f"Version {VERSION} is published" in said
    assert "`SessionStarted.v1` `bio`" in said
    change(scratch, "generate.py", f'VERSION = "{VERSION}"', f'VERSION = "{_next(major=False)}"')
    assert committed_and_checked(scratch) == (0, "")


def test_enumeration_told_in_another_order__passes(scratch: Path):
    change(
        scratch,
        "sessions.py",
        '"canceled_by_member", "canceled_by_practitioner"',
        '"canceled_by_practitioner", "canceled_by_member"',
    )
    assert committed_and_checked(scratch) == (0, "")


def test_words__pass(scratch: Path):
    change(scratch, "topics.py", "The events of FeedbackSessions.", "What happened to FeedbackSessions.")
    assert committed_and_checked(scratch) == (0, "")


@pytest.mark.parametrize("what", ["edited", "a file gone", "its history edited", "all gone"])
def test_baseline_moved_by_hand__is_refused(scratch: Path, what: str):
    folder = scratch / "shared/contracts/schemas.published"
    match what:
        case "edited":
            file = folder / "SessionStarted.v1.json"
            file.write_text(file.read_text("utf-8").replace("started_at", "begun_at"), "utf-8")
        case "a file gone":
            (folder / "SessionStarted.v1.json").unlink()
        case "its history edited":
            told = history(folder)
            told[1]["because"] = "nobody noticed"
            (folder / HISTORY).write_text(json.dumps(told), "utf-8")
        case _:
            shutil.rmtree(folder)
    code, said = committed_and_checked(scratch)
    assert code == 1
    assert "by hand" in said or "Nothing is published" in said


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """The generated files and what is published of them."""
    shutil.copytree(PACKAGE / "schemas", tmp_path / "schemas")
    shutil.copytree(PUBLISHED, tmp_path / PUBLISHED.name)
    shutil.copy(PACKAGE / "asyncapi.json", tmp_path)
    return tmp_path


def _rewrite(contracts: Path, *, version: str | None = None, drop: str | None = None, add: str | None = None) -> None:
    schema, document = contracts / "schemas/SessionStarted.v1.json", contracts / "asyncapi.json"
    changed, whole = json.loads(schema.read_text("utf-8")), json.loads(document.read_text("utf-8"))
    if version:
        whole["info"]["version"] = version
    if drop:
        del changed["properties"][drop]
        changed["required"].remove(drop)
    if add:
        changed["properties"][add] = {"type": "string"}
    schema.write_text(json.dumps(changed), "utf-8")
    document.write_text(json.dumps(whole), "utf-8")


def _next(*, major: bool) -> str:
    first, second, _ = map(int, committed().version.split("."))
    return f"{first + 1}.0.0" if major else f"{first}.{second + 1}.0"


@pytest.mark.parametrize(
    ("version", "breaking_in", "because", "why"),
    [
        (_next(major=True), None, None, "started_at was removed"),
        (_next(major=True), "99.0.0", "asked for", f"says version {_next(major=True)}"),
        (_next(major=True), _next(major=True), None, "needs --because"),
        (_next(major=False), _next(major=False), "asked for", "a higher first number"),
    ],
)
def test_break__is_published_with_version_and_reason_or_not_at_all(contracts, version, breaking_in, because, why):
    _rewrite(contracts, version=version, drop="started_at")
    before = (contracts / "schemas.published" / HISTORY).read_text("utf-8")
    assert why in (publish(contracts, contracts / PUBLISHED.name, breaking_in, because) or "")
    assert (contracts / "schemas.published" / HISTORY).read_text("utf-8") == before
    assert problems(contracts, contracts / PUBLISHED.name) is not None


def test_meant_break__is_published_and_told(contracts):
    version = _next(major=True)
    _rewrite(contracts, version=version, drop="started_at")
    assert publish(contracts, contracts / PUBLISHED.name, version, "no reader needs it") is None
    assert problems(contracts, contracts / PUBLISHED.name) is None
    last = history(contracts / "schemas.published")[-1]
    assert (last["version"], last["because"]) == (version, "no reader needs it")
    assert last["broke"] == ["SessionStarted.v1 started_at was removed"]


def test_addition__needs_a_higher_version(contracts):
    _rewrite(contracts, add="room")
    assert "raise its second number" in (publish(contracts, contracts / PUBLISHED.name, None, None) or "")
    _rewrite(contracts, version=_next(major=False), add="room")
    assert "--adds: a line that tells readers of `SessionStarted.v1` `room`" in (publish(*_places(contracts)) or "")
    assert publish(*_places(contracts), adds="Rooms.") is None
    last = history(contracts / "schemas.published")[-1]
    assert (last["adds"], last["added"]) == ("Rooms.", ["`SessionStarted.v1` `room`"])
    found = published(contracts / "schemas.published")
    assert found is not None
    assert "room" in found.schemas["SessionStarted.v1.json"]["properties"]


def test_version_published_again__is_in_the_history_once(contracts):
    _rewrite(contracts, version=_next(major=False), add="room")
    for _ in range(2):
        assert publish(*_places(contracts), adds="Rooms.") is None
        assert publish(*_places(contracts)) is None
    before = history(contracts / PUBLISHED.name)
    assert [entry["version"] for entry in before] == [*(entry["version"] for entry in history()), _next(major=False)]
    assert before[-1]["added"] == ["`SessionStarted.v1` `room`"], "as it was first told"
    assert "is published already" in (publish(*_places(contracts), adds="Halls.") or "")
    assert history(contracts / PUBLISHED.name) == before

    schema = contracts / "schemas/SessionStarted.v1.json"
    schema.write_text(json.dumps(json.loads(schema.read_text("utf-8")) | {"description": "It began."}), "utf-8")
    assert publish(*_places(contracts)) is None, "words may change"
    after = history(contracts / PUBLISHED.name)
    assert after == [*before[:-1], before[-1] | {"sum": after[-1]["sum"]}]
    assert problems(*_places(contracts)) is None

    _rewrite(contracts, version=committed().version)
    assert "a step back" in (publish(*_places(contracts)) or "")


@pytest.mark.parametrize("word", ["description", "title", "summary", "examples"])
def test_field_that_is_named_like_a_word__is_an_addition_too(contracts, word: str):
    _rewrite(contracts, add=word)
    assert f"`SessionStarted.v1` `{word}`" in (problems(*_places(contracts)) or "")
    assert "raise its second number" in (publish(*_places(contracts), adds="Words.") or "")


def test_topic_opened_for_a_data_team__is_told(contracts):
    document = contracts / "asyncapi.json"
    whole = json.loads(document.read_text("utf-8"))
    whole["channels"]["booking_directory_contacts_v1"]["x-analytics"] = True
    whole["info"]["version"] = _next(major=False)
    document.write_text(json.dumps(whole), "utf-8")
    assert "topic `booking.directory.contacts.v1` for a data team" in (publish(*_places(contracts)) or "")


def test_first_time__is_published(contracts):
    shutil.rmtree(contracts / "schemas.published")
    assert publish(*_places(contracts)) is None
    assert problems(*_places(contracts)) is None
    assert {"topic `booking.assessments.v1`", "`SessionStarted.v1`"} <= set(
        history(contracts / PUBLISHED.name)[-1]["added"]
    )


def _places(contracts: Path) -> tuple[Path, Path]:
    return contracts, contracts / PUBLISHED.name


def test_history__says_of_each_version_what_it_added_and_why_it_broke():
    told = history()
    assert [entry["version"] for entry in told] == sorted({entry["version"] for entry in told}, key=_numbers)
    for entry in told:
        assert entry["adds"], entry["version"]
        assert bool(entry["broke"]) is bool(entry["because"]), entry["version"]
    files = {f"`{file.name.removesuffix('.json')}`" for file in PUBLISHED.glob("*.v*.json")}
    assert files <= {one for entry in told for one in entry["added"]}, "when did it come?"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_schema_of_an_earlier_version__stays():
    now = committed()
    gone = {name: schema for name, schema in now.schemas.items() if name != "SessionStarted.v1.json"}
    assert breaks(now, Contract(now.document, gone)) == ["SessionStarted.v1: its schema was removed"]
    assert refusal(now, now, None, None) is None
