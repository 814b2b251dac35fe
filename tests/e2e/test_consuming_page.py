"""docs/consuming.md is true: its program lands real events, and its questions are answered, beside a running system."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from tests.e2e.kafka_log import tell_assessment_now
from tests.e2e.system import ROOT, Cast, System, booking, until
from tests.rigs.topics import read

from booking_contracts.admin import create_topics
from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.deadlines import connected
from booking_contracts.generate import PACKAGE
from booking_contracts.topics import ASSESSMENTS, SESSIONS
from booking_local.packages import UnavailableError, python_with
from booking_outbox import EventTopic, Selection, republish

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(600)]
PAGE = (ROOT / "docs" / "consuming.md").read_text("utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SQL = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NOTICES, TWICE, LOST = SQL[4:7]
LOCK = ROOT / "tests" / "streams" / "locks" / "outsider.txt"
ASK = (
    "import duckdb, json, sys\n"
    "lake = duckdb.connect(sys.argv[1])\n"
    "print(json.dumps([lake.execute(query).fetchall() for query in sys.argv[2:]], default=str))"
)
SAME_IDS = """
    SELECT count(DISTINCT position.topic_id) FROM event
    JOIN position ON position.topic_id = data->>'$.topic_id' AND position.topic LIKE '%.sessions.v1'
    WHERE event.topic = 'booking.operations.notices.v1'"""
EVERYTHING = Selection()
PERSONAL = "booking.directory.practitioners.v1"


class Lake:
    """The page's program and its file, in an environment without anything of ours but the contracts."""

    def __init__(self, folder: Path, python: Path, bootstrap: str, prefix: str = "") -> None:
        self.program, self.file, self._python = folder / "landing.py", folder / "lake.duckdb", python
        self.program.write_text("\n\n".join(PYTHON), "utf-8")
        self._environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(PACKAGE.parent),
            "KAFKA_BOOTSTRAP": bootstrap,
            "TOPIC_PREFIX": prefix,
            "LAKE": str(self.file),
        }

    def land(self) -> None:
        self._run(str(self.program))

    def asked(self, *queries: str) -> list[list[list[Any]]]:
        """The rows of each."""
        return json.loads(self._run("-c", ASK, str(self.file), *queries))

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [self._python, *words], env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def outsider() -> Path:
    try:
        return asyncio.run(python_with(LOCK))
    except UnavailableError as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"an environment for readers can't be had: {why}")


def test_page__has_no_block_that_is_not_run():
    assert PAGE.count("```") == 2 * (len(PYTHON) + len(SQL))
    assert len(PYTHON) == 4
    assert len(SQL) == 9
    assert [query for query in SQL if "notices.v1" in query] == [NOTICES]


def test_blocks__land_real_events_and_every_question_is_answered(
    story: Cast, state: Path, outsider: Path, tmp_path: Path
):
    session, _ = story.request(story.paid()), story.paid()
    version = story.schedule(session)["version"]
    # The event of the move names the link of before beside the new one.
    story.system.put(
        story.practitioner, "consultation", f"/v1/sessions/{session['id']}/schedule", story.schedule_body(days=8),
        headers={"If-Match": f'"{version}"'},
    )  # fmt: skip
    until("the schedule told", lambda: story.calendar(story.member, session["id"]))
    until("everything published", lambda: _published_all(story.system))
    lake = Lake(tmp_path, outsider, story.system.endpoints["kafka"])
    lake.land()
    # Others on the same stack spoil topics on purpose: what is judged is this story's.
    keys = [story.member.sub, story.practitioner.sub, story.product]
    of_sales = f"SELECT key FROM event WHERE data->>'$.user_id' = '{story.member.sub}'"
    of_others = (
        f"DELETE FROM event WHERE key NOT IN ({of_sales} UNION SELECT unnest({[str(key) for key in keys]})::uuid)"
    )
    _, paid, events, *answers = lake.asked(
        of_others, "SELECT key FROM event WHERE type LIKE '%TransactionPaid%'", "SELECT data FROM event", *SQL
    )
    assert len(paid) == 2
    for query, answer in zip(SQL, answers, strict=True):
        assert query == NOTICES or bool(answer) is not query.startswith("-- no rows"), (query, answer)
    assert answers[1] == [[session["id"], "scheduled", 3]]
    assert [row[1:] for row in answers[3]] == [["IDR", 500_000]]
    assert "schedule_version" in str(events)
    assert "meeting_link" not in str(events)

    row = f"topic = '{PERSONAL}' AND key = '{story.practitioner.sub}'"
    profile = f"SELECT count(*) FROM state WHERE {row} AND data IS NOT NULL"
    assert lake.asked(profile) == [[[1]]]
    erased = booking("erase", str(story.practitioner.sub), "--yes", state=state)
    assert erased.returncode == 0, erased.stderr
    lake.land()
    missed = f"UPDATE state SET recorded_at = '2026-01-01', data = '{{}}' WHERE {row}"
    assert lake.asked(profile, SQL[-1], missed, SQL[-1])[::3] == [[[0]], [[PERSONAL, str(story.practitioner.sub)]]]
    lake.land()
    assert lake.asked(SQL[-1]) == [[]]


def _published_all(system: System) -> bool:
    """No mark is left in any outbox."""
    for url in system.endpoints["postgres"].values():
        with psycopg.connect(url) as conn:
            if conn.execute("SELECT 1 FROM outbox LIMIT 1").fetchone():
                return False
    return True


async def test_topic_made_again__nothing_is_lost_and_nothing_twice(story: Cast, outsider: Path, tmp_path: Path):
    """The stores' own events on topics of this test's, by what `booking republish` calls.

    Copies make the old topic longer: a reader that keeps places by names would begin in the middle of the new one.
    """
    bootstrap, prefix = story.system.endpoints["kafka"], f"made-again-{story.product}."
    session = story.request(story.paid())
    this = Selection(stream_id=session["id"])
    await create_topics(bootstrap, prefix)
    for _ in range(3):
        await _published(story.system, prefix, this)
    lake = Lake(tmp_path, outsider, bootstrap, prefix)
    lake.land()
    of_sessions = f"FROM event WHERE topic = '{SESSIONS.name}'"
    ids = f"SELECT count(*), count(DISTINCT ce_id), count(DISTINCT (key, ce_sequence)) {of_sessions}"
    assert lake.asked(ids) == [[[1] * 3]]

    for number in range(18):
        _set(story, session, number)
    await _made_again(bootstrap, prefix + SESSIONS.name)
    await _published(story.system, prefix, this)
    lake.land()
    assert lake.asked(TWICE, LOST, ids) == [[], [], [[19] * 3]]
    # Everything, of which the lake has these.
    await _published(story.system, prefix)
    lake.land()
    stored = await _stored(story.system)
    counted, told = lake.asked(ids, f"SELECT ce_id {of_sessions}")
    assert counted == [[len(stored)] * 3]
    assert {row[0] for row in told} == stored

    # What a restore leaves in the topic: another last event of the session, which the store doesn't know.
    await _told_otherwise(bootstrap, prefix + SESSIONS.name, session["id"])
    await _published(story.system, prefix, accept=True)
    lake.land()
    notices, twice, lost, same_ids = lake.asked(NOTICES, TWICE, LOST, SAME_IDS)
    assert [(notice[1], notice[3] is not None, notice[4]) for notice in notices] == [
        *[(SESSIONS.name, True, 1)] * 3,
        (SESSIONS.name, True, 19),
        (SESSIONS.name, True, len(stored)),
        (SESSIONS.name, False, None),  # the restore
        (SESSIONS.name, True, len(stored)),
    ]
    assert twice == [[SESSIONS.name, session["id"], 19, 2]]
    assert [row[:3] for row in lost] == [[SESSIONS.name, session["id"], 19]]
    assert same_ids == [[2]], "the topic's before and after it was made again"


async def test_assessment_told_again__the_later_word_counts(system: System, outsider: Path, tmp_path: Path):
    """No version says which is later: the time of the broker does, and within a batch the place."""
    bootstrap, prefix = system.endpoints["kafka"], f"later-word-{uuid4()}."
    await create_topics(bootstrap, prefix)
    days = [datetime(2026, 8, day, tzinfo=UTC) for day in range(1, 10)]
    told = [AssessmentCompleted(assessment_id=uuid4(), user_id=uuid4(), completed_at=days[0]) for _ in range(3)]
    lake = Lake(tmp_path, outsider, bootstrap, prefix)

    async def words(*of_each: Sequence[datetime]) -> None:
        for one, times in zip(told, of_each, strict=True):
            await tell_assessment_now(bootstrap, one, *times, prefix=prefix)

    def counted() -> list[datetime]:
        rows = lake.asked(f"SELECT key, data->>'$.completed_at' FROM state WHERE topic = '{ASSESSMENTS.name}'")[0]
        kept = {key: datetime.fromisoformat(at) for key, at in rows}
        assert len(kept) == len(rows), "one row each"
        return [kept[str(one.assessment_id)] for one in told]

    await words([days[1]], [days[3], days[2]], [days[4], days[5]])
    lake.land()
    assert counted() == [days[1], days[2], days[5]]
    await words([days[0], days[0]], [days[6]], [days[8], days[7]])
    lake.land()
    assert counted() == [days[0], days[6], days[7]]


async def _told_otherwise(bootstrap: str, topic: str, key: str) -> None:
    """The last record of this key once more, as another event of the same version."""
    records = await read(bootstrap, [TopicPartition(topic, number) for number in range(SESSIONS.partitions)])
    last = [record for record in records if (record.key or b"").decode() == key][-1]
    headers = [(name, str(uuid4()).encode() if name == "ce_id" else value) for name, value in last.headers]
    async with connected(AIOKafkaProducer(bootstrap_servers=bootstrap)) as producer:
        await producer.send_and_wait(
            topic, last.value, last.key, partition=last.partition, headers=headers, timestamp_ms=last.timestamp
        )


def _set(story: Cast, session: dict[str, Any], number: int) -> None:
    """The schedule, then its changes."""
    body = story.schedule_body(start=f"{9 + number // 2:02}:{number % 2}0", end=f"{10 + number // 2:02}:{number % 2}0")
    at = f"/v1/sessions/{session['id']}/schedule"
    if number == 0:
        story.system.post(story.practitioner, "consultation", at, body)
    else:
        headers = {"If-Match": f'"{number + 1}"'}
        story.system.put(story.practitioner, "consultation", at, body, headers=headers)


async def _stored(system: System) -> set[str]:
    """The ids of all sessions' events, as consultation has them."""
    async with await psycopg.AsyncConnection.connect(system.endpoints["postgres"]["consultation"]) as conn:
        return {str(row[0]) for row in await (await conn.execute("SELECT id FROM events")).fetchall()}


async def _published(system: System, prefix: str, selection: Selection = EVERYTHING, *, accept: bool = False) -> None:
    until("everything published", lambda: _published_all(system))  # what still has a mark is left to the relay
    await republish(
        database_url=system.endpoints["postgres"]["consultation"],
        bootstrap=system.endpoints["kafka"],
        topics=[EventTopic(SESSIONS)],
        lock_name="consultation",
        topic_prefix=prefix,
        selection=selection,
        accept_topic=accept,
    )


async def _made_again(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        await admin.delete_topics([topic])
        async with asyncio.timeout(30):
            while topic in await admin.list_topics():  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.05)
    await create_topics(bootstrap, topic.removesuffix(SESSIONS.name), topics=[SESSIONS])
