"""examples/analytics in small: land, build, report, verify; killed, a topic replaced, somebody erased.

`make analytics-test` runs it, by itself: the environment of the example comes from PyPI, and dbt takes its time. The
tests are one story, in order. E2E_STATE names a running stack to use instead of one of its own.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from tests.e2e.conftest import system_of
from tests.e2e.kafka_log import append, tell_assessment
from tests.e2e.system import ROOT, System, booking, cast, local_stack, until

from booking_contracts.admin import create_topics
from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.deadlines import connected
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, SESSIONS, TOPICS, TRANSACTIONS, Topic
from booking_ops.audit.topics import read_topic

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(900)]
EXAMPLE = ROOT / "examples" / "analytics"
PURCHASES, KILLS = 300, 5
BATCH_BYTES = 20_000  # less than a commit of 150 records writes
PHONE = 318  # what a card of the report has for a plot on a screen of 360 pixels
DELETE_ONE = """DELETE FROM landed.event
WHERE ce_id = (SELECT ce_id FROM landed.event WHERE type = '{}' LIMIT 1) RETURNING key::VARCHAR"""
_PAID = """SELECT data -> 'amount' ->> 'currency', sum((data -> 'amount' ->> 'amount')::bigint)::bigint
FROM events WHERE type = 'TransactionPaid' GROUP BY 1 ORDER BY 1"""
LANDED = [topic for topic in TOPICS if topic.analytics]


class Lake:
    """A lake, and the example's programs at work on it."""

    def __init__(self, python: Path, folder: Path, system: System, state: Path) -> None:
        self.python, self.folder, self.system, self.state = python, folder, system, state

    def start(self, program: str, *words: str) -> subprocess.Popen[str]:
        command = [self.python, EXAMPLE / f"{program}.py", "--lake", self.folder, *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, program: str, *words: str) -> tuple[int, str]:
        process = self.start(program, *words)
        said, _ = process.communicate(timeout=400)
        return process.returncode, said

    def ran(self, program: str, *words: str) -> str:
        code, said = self.run(program, *words)
        assert code == 0, f"{program}: {said}"
        return said

    def land(self, *words: str) -> str:
        return self.ran("land", "--bootstrap", self.system.endpoints["kafka"], *words)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the lake; their values as JSON has them."""
        program = (
            "import duckdb, json, sys\n"
            "con = duckdb.connect(sys.argv[1]); con.execute(\"SET TimeZone = 'UTC'\")\n"
            "print(json.dumps(con.execute(sys.argv[2]).fetchall(), default=str))"
        )
        words = [self.python, "-c", program, self.folder / "lake.duckdb", query]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return [tuple(row) for row in json.loads(done.stdout or "[]")]

    def dbt(self, *words: str) -> tuple[int, str]:
        told = {"LAKE": self.folder, "DBT_PROFILES_DIR": EXAMPLE / "dbt", "DBT_TARGET_PATH": self.folder / "dbt"}
        environment = {
            **os.environ,
            **{name: str(path) for name, path in told.items()},
            "DBT_LOG_PATH": str(self.folder),
        }
        command = [self.python.with_name("dbt"), "--quiet", *words, "--project-dir", EXAMPLE / "dbt"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=400)
        return done.returncode, done.stdout + done.stderr

    def events(self) -> int:
        return self.ask("SELECT count(*) FROM landed.event")[0][0]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if given := os.environ.get("E2E_STATE"):
        yield Path(given)
        return
    folder = tmp_path_factory.mktemp("stack")
    with local_stack(folder):
        yield folder


@pytest.fixture(scope="module")
def system(state: Path) -> Iterator[System]:
    with system_of(state) as running:
        yield running


@pytest.fixture(scope="module")
def lake(python: Path, state: Path, system: System, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A stack with some months behind it, and an empty lake beside it."""
    words = ("--sessions", str(PURCHASES), "--members", "40", "--practitioners", "8", "--seed", "16")
    seeded = booking("seed", *words, state=state)
    assert seeded.returncode == 0, seeded.stdout + seeded.stderr
    return Lake(python, tmp_path_factory.mktemp("lake"), system, state)


def _state_of(file: Path) -> tuple[int, int]:
    """A log's size and time; nothing where there is none, as after a start, which empties it."""
    try:
        told = file.stat()
    except FileNotFoundError:
        return (0, 0)
    return (told.st_size, told.st_mtime_ns)


def _killed_midway(lake: Lake, commits: int) -> bool:
    """Land, and kill it once that many commits were seen, in whatever it is at by then.

    False if it had come to its end, as where this process got no processor for long: then the lake is empty again.
    """
    written = lake.folder / "lake.duckdb.wal"
    process = lake.start("land", "--bootstrap", lake.system.endpoints["kafka"], "--batch", "150")

    def ended() -> bool:
        return process.poll() is not None

    for _ in range(commits):
        before = _state_of(written)
        until("a commit", lambda before=before: ended() or before != _state_of(written) > (BATCH_BYTES, 0))
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate()
    if process.returncode == -signal.SIGKILL:
        return True
    assert process.returncode == 0, said
    shutil.rmtree(lake.folder)
    lake.folder.mkdir()
    return False


async def _published(bootstrap: str, topics: Sequence[Topic] = LANDED) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for topic in topics:
        async for record in read_topic(bootstrap, topic.name):
            headers = dict(record.headers)
            if "ce_id" in headers:
                found.add((topic.name, headers["ce_id"].decode()))
    return found


def test_killed_at_any_point__nothing_is_lost_and_nothing_doubled(lake: Lake) -> None:
    """kill -9 in whatever it is at; each run goes on where the last one committed."""
    bootstrap, chance = lake.system.endpoints["kafka"], Random(16)
    killed = 0
    while killed < KILLS:
        killed = killed + 1 if _killed_midway(lake, chance.randint(1, 4)) else 0
    assert 0 < lake.events() < len(asyncio.run(_published(bootstrap)))
    lake.land()
    published = asyncio.run(_published(bootstrap))
    landed = {(topic, id_) for topic, id_ in lake.ask("SELECT topic, ce_id::VARCHAR FROM landed.event")}
    assert published - landed == set(), "lost"
    assert landed - published == set(), "of nowhere"
    assert lake.events() == len(landed), "twice"


def test_prefix_without_topics__is_an_error_and_no_empty_success(lake: Lake) -> None:
    code, said = lake.run("land", "--bootstrap", lake.system.endpoints["kafka"], "--prefix", "other.")
    assert code == 1
    assert "None of the topics is there under the prefix 'other.'" in said


def test_row_that_was_altered__is_found_and_written_anew_by_again(lake: Lake) -> None:
    """Counts know ids alone: that a row still says what its record says is found by reading that again."""
    paid = "SELECT data->>'$.amount.amount', version FROM landed.event WHERE ce_id = '{}'"
    ((one,),) = lake.ask("SELECT ce_id::VARCHAR FROM landed.event WHERE type = 'TransactionPaid' LIMIT 1")
    before = lake.ask(paid.format(one))
    lake.ask('UPDATE landed.event SET version = 1, data = \'{"amount": {"amount": 1}}\' WHERE ce_id = \'' + one + "'")
    assert "1 rows said something else" in lake.land("--again")
    assert lake.ask(paid.format(one)) == before
    assert "0 rows said something else" in lake.land("--again")


def test_links_and_addresses__never_come_into_the_lake(lake: Lake) -> None:
    """The host of a meeting says which service it is held by, and opens nothing: that may come."""
    with psycopg.connect(lake.system.endpoints["postgres"]["consultation"]) as conn:
        stored = conn.execute("SELECT DISTINCT meeting_link FROM feedback_session WHERE meeting_link IS NOT NULL")
        links = [link for (link,) in stored]
    assert links
    told = " OR ".join(f"data::VARCHAR LIKE '%{link}%'" for link in [*links, '"meeting_link"'])
    assert lake.ask("SELECT count(*) FROM landed.event WHERE type = 'SessionScheduled'")[0][0] > 0
    assert lake.ask(f"SELECT type, count(*) FROM landed.event WHERE {told} GROUP BY type") == []
    assert lake.ask(f"SELECT count(*) FROM landed.event WHERE topic = '{CONTACTS.name}'") == [(0,)]


def test_what_cannot_be_read__is_kept_and_stops_nothing(lake: Lake) -> None:
    append(lake.system.endpoints["kafka"], SESSIONS.name, [(str(uuid4()), b"{broken")])
    assert "1 of them can't be read" in lake.land()
    ((topic, value, why),) = lake.ask("SELECT topic, value::VARCHAR, why FROM landed.unread")
    assert (topic, value) == (SESSIONS.name, "{broken")
    assert why.startswith("Undecodable: "), why
    assert "can't be read" in lake.land()
    assert lake.ask("SELECT count(*) FROM landed.unread") == [(1,)]


def test_models__are_built_and_their_tests_hold(lake: Lake) -> None:
    code, said = lake.dbt("build")
    assert code == 0, said
    ((purchases, paid),) = lake.ask("SELECT sum(bought), sum(paid) FROM analytics.funnel")
    assert int(purchases) >= PURCHASES
    assert 0 < int(paid) <= int(purchases)
    with psycopg.connect(lake.system.endpoints["postgres"]["checkout"]) as conn:
        owned = conn.execute(_PAID).fetchall()
    paid = "SELECT currency, sum(paid)::BIGINT FROM analytics.revenue GROUP BY currency HAVING sum(paid) > 0 ORDER BY 1"
    assert lake.ask(paid) == owned, "what the owner of the money says"


def test_assessment_told_again__counts_once_by_its_later_word(lake: Lake) -> None:
    """By its topic and by HTTP, in both orders; the months lie before all others, so nobody else's are among them."""
    bootstrap, system = lake.system.endpoints["kafka"], lake.system
    service = system.person("service")
    first, second = (
        AssessmentCompleted(assessment_id=uuid4(), user_id=uuid4(), completed_at=month(1)) for _ in range(2)
    )

    def kept(one: AssessmentCompleted) -> datetime | None:
        answer = system.call(service, "consultation", "GET", f"/v1/assessments/{one.assessment_id}")
        return datetime.fromisoformat(answer.json()["completed_at"]) if answer.status_code == 200 else None

    def by_http(one: AssessmentCompleted, at: datetime) -> None:
        body = {"user_id": str(one.user_id), "completed_at": at.isoformat()}
        system.put(service, "consultation", f"/v1/assessments/{one.assessment_id}", body)

    def by_topic(one: AssessmentCompleted, *times: datetime) -> None:
        tell_assessment(bootstrap, one, *times)
        until("consultation took it", lambda: kept(one) == times[-1])

    def landed(one: AssessmentCompleted, words: int) -> bool:
        lake.land()
        return lake.ask(_WORDS.format(one.assessment_id)) == [(words,)]

    by_topic(first, month(3))
    by_http(first, month(2))
    by_http(second, month(4))
    until("its record", lambda: landed(second, 1))
    by_topic(second, month(6), month(5))  # in one batch, which has one time of the broker
    until("all words are landed", lambda: landed(first, 2) and landed(second, 3))
    assert lake.dbt("run", "--select", "assessment_conversion")[0] == 0
    counted = "SELECT month, assessments FROM analytics.assessment_conversion WHERE month < '2001-01-01' ORDER BY month"
    assert lake.ask(counted) == [("2000-02-01", 1), ("2000-05-01", 1)]


def month(number: int) -> datetime:
    return datetime(2000, number, 15, tzinfo=UTC)


_WORDS = "SELECT count(*) FROM landed.event WHERE type = 'AssessmentCompleted' AND key = '{}'"


def test_a_hole_in_the_lake__fails_a_model_s_test(lake: Lake, tmp_path: Path) -> None:
    """The tests can fail: without one event of a stream, its versions have a gap."""
    holed = Lake(lake.python, tmp_path / "lake", lake.system, lake.state)
    shutil.copytree(lake.folder, holed.folder)
    holed.ask(DELETE_ONE.format("PractitionerAssigned"))
    code, said = holed.dbt("test", "--select", "event_versions_have_no_gap")
    assert code == 1, said
    assert "event_versions_have_no_gap" in said


def test_report__is_one_file_that_needs_nothing_else(lake: Lake) -> None:
    lake.ran("report")
    page = (lake.folder / "report.html").read_text("utf-8")
    assert page.count('class="wide"><svg') == page.count('class="narrow"><svg') >= 8
    widths = [float(width) for width in re.findall(r'class="narrow"><svg[^>]*?width="([\d.]+)"', page)]
    assert max(widths) <= PHONE, "what is shrunk on a phone can't be read"
    elsewhere = set(re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?(?!#)([^"\')\s>]+)', page))
    assert elsewhere == set()
    assert not re.search(r"https?://(?!www\.w3\.org/)", page)
    assert "#0a0" not in page, "every colour follows the reader's"


def test_verify__agrees_with_the_owners_and_names_the_range_that_differs(lake: Lake, tmp_path: Path) -> None:
    ask, bootstrap = f"{ROOT}/booking counts --state {lake.state}", lake.system.endpoints["kafka"]
    land = f"{lake.python} {EXAMPLE}/land.py --bootstrap {bootstrap} --lake {lake.folder}"
    assert "no difference" in lake.ran("verify", "--ask", ask, "--land", land)
    missing = Lake(lake.python, tmp_path / "lake", lake.system, lake.state)

    def differs() -> set[str]:
        """Of a copy that lacks two rows. The system is at work: what moves between the two looks is no difference."""
        counted = booking("counts", "--until", "2100-01-01T00:00:00", state=lake.state)
        assert counted.returncode == 0, counted.stderr
        told = tmp_path / "counts.ndjson"
        told.write_text(counted.stdout)
        lake.land()
        shutil.rmtree(missing.folder, ignore_errors=True)
        shutil.copytree(lake.folder, missing.folder)
        ((session,),) = missing.ask(DELETE_ONE.format("SessionScheduled"))
        ((profile,),) = missing.ask(DELETE_ONE.format("PractitionerProfile"))
        code, said = missing.run("verify", "--counts", str(told))
        assert code == 1, said
        wanted = {f"{SESSIONS.name} keys …{session[-1]}: ", f"{PRACTITIONERS.name} keys …{profile[-1]}: "}
        lines = said.splitlines()
        named = {one for one in wanted for line in lines if line.startswith(one) and "(-1)" in line}
        return named if named == wanted and len(lines) == len(wanted) else set()

    until("the two ranges named, and no other", differs)


async def _made_anew(bootstrap: str, topics: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        await admin.delete_topics(topics)
        async with asyncio.timeout(60):
            while set(topics) & set(await admin.list_topics()):  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.05)
    await create_topics(bootstrap)


def test_topics_deleted_and_published_again__nothing_lost_nothing_twice(lake: Lake) -> None:
    """An offset of a topic that is gone means nothing: its id tells that, and `ce_id` which records are known."""
    bootstrap, names = lake.system.endpoints["kafka"], [TRANSACTIONS.name, SESSIONS.name]
    lake.land()
    before = lake.ask(f"SELECT DISTINCT ce_id::VARCHAR FROM landed.event WHERE topic IN {tuple(names)}")
    asyncio.run(_made_anew(bootstrap, names))
    story = cast(lake.system)
    bought = [story.buy()["id"] for _ in range(3)]
    for service in ("checkout", "consultation"):
        again = booking("republish", "--service", service, state=lake.state)
        assert again.returncode == 0, again.stdout + again.stderr
    said = ""

    def landed() -> bool:
        nonlocal said
        said += lake.land()
        found = lake.ask(f"SELECT count(DISTINCT key) FROM landed.event WHERE key IN {tuple(bought)}")
        return found == [(3,)]

    until("what was bought since is landed", landed)
    assert "was created anew" in said
    after = lake.ask(f"SELECT ce_id::VARCHAR FROM landed.event WHERE topic IN {tuple(names)}")
    assert set(before) - set(after) == set(), "lost"
    assert len(after) == len(set(after)), "twice"
    published = asyncio.run(_published(bootstrap, [TRANSACTIONS, SESSIONS]))
    assert {(id_,) for _, id_ in published} - set(after) == set(), "lost"
    assert lake.dbt("test", "--select", "event_versions_have_no_gap")[0] == 0


def test_erased__nothing_of_the_person_is_anywhere_in_the_lake(lake: Lake) -> None:
    """E4, downstream: rows, marts, Parquet, and the bytes of deleted rows in the database's own file."""
    mark = f"kenari{uuid4().hex}"
    story = cast(lake.system)
    profile = {
        "name": f"Dr. {mark}",
        "bio": f"Bio {mark}",
        "profession": mark,
        "tiers": ["gold"],
        "timezone": "Asia/Jakarta",
        "active": True,
    }
    lake.system.put(story.admin, "checkout", f"/v1/practitioners/{story.practitioner.sub}", profile)
    story.schedule(story.request(story.paid()))
    person = story.practitioner.sub

    def known() -> bool:
        lake.land()
        return lake.ask(f"SELECT count(*) FROM landed.event WHERE data::VARCHAR LIKE '%{mark}%'") != [(0,)]

    until("the profile is landed", known)
    until("the schedule is landed", lambda: lake.land() and lake.ask(_DATED.format(person))[0][0] > 0)
    assert lake.dbt("run")[0] == 0
    lake.ran("parquet")
    lake.ran("report")
    assert _holding(lake, mark) >= {"lake.duckdb", "parquet"}
    assert _tables_with(lake, mark) >= {"landed.event", "analytics.practitioner_load"}

    erased = booking("erase", str(person), "--yes", state=lake.state)
    assert erased.returncode == 0, erased.stdout + erased.stderr
    until("the erasure is landed", lambda: lake.land() and lake.ask(_ERASED.format(person))[0][0] > 0)
    assert "Nothing of the people who were erased" in lake.ran("erase")
    lake.ran("report")
    assert _tables_with(lake, mark) == set()
    assert _holding(lake, mark) == set()
    assert lake.ask(_DATED.format(person))[0][0] > 0, "events stay, as ids alone"
    lake.land("--again")
    assert _tables_with(lake, mark) == set(), "what comes again is forgotten again"


def test_erasure_alone__is_enough_where_compaction_took_the_tombstone(python: Path, tmp_path: Path) -> None:
    """A landing that stood still never sees one. Who came back since, and everybody else, is kept."""
    words = [python, "-c", _FORGET, EXAMPLE, tmp_path / "lake", PRACTITIONERS.name, ERASURES.name]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [1, ["back", "erased", "other"]]


_FORGET = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import lake as lakes
con, profiles, erasures = lakes.opened(Path(sys.argv[2])), sys.argv[3], sys.argv[4]
told = [(profiles, 1, 1, "gone"), (erasures, 1, 2, "erased"), (profiles, 1, 3, "back"), (profiles, 2, 1, "other")]
for topic, person, month, said in told:
    query = "INSERT INTO landed.event BY NAME SELECT ? AS topic, ?::UUID AS key, uuid() AS ce_id, ? AS ce_sequence"
    query += ", ?::TIMESTAMPTZ AS happened_at, happened_at AS recorded_at, json_quote(?) AS data"
    con.execute(query, [topic, f"{person:032x}", month, f"2026-0{month}-01", said])
gone = lakes.forget(con)
kept = con.execute("SELECT data->>'$' AS said FROM landed.event ORDER BY said").fetchall()
print(json.dumps([gone, [said for said, in kept]]))
"""
_DATED = "SELECT count(*) FROM landed.event WHERE type = 'SessionScheduled' AND data->>'practitioner_id' = '{}'"
_ERASED = "SELECT count(*) FROM landed.event WHERE type = 'PersonErased' AND key = '{}'"


def _holding(lake: Lake, mark: str) -> set[str]:
    """The files of the lake that hold these bytes; of Parquet what it says once it is read, as it is compressed."""
    files = [path for path in lake.folder.rglob("*") if path.is_file()]
    found = {path.name for path in files if mark.encode() in path.read_bytes()}
    parquet = (
        f"SELECT count(*) FROM read_parquet('{lake.folder}/parquet/*/*/*.parquet') WHERE data::VARCHAR LIKE '%{mark}%'"
    )
    return found | ({"parquet"} if lake.ask(parquet) != [(0,)] else set())


def _tables_with(lake: Lake, mark: str) -> set[str]:
    tables = lake.ask(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    )
    return {
        table
        for (table,) in tables
        if lake.ask(f"SELECT count(*) FROM {table} t WHERE t::VARCHAR LIKE '%{mark}%'") != [(0,)]
    }
