"""The audit on a big store: time and memory of consultation's comparisons, as the events grow.

python -m benchmarks.audit 20000 200000      # sessions, of five events each

Each size is filled, published, and audited by a process of its own, so that its peak memory is the audit's alone (read
from /proc, hence on Linux only).
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.system import System, system
from benchmarks.world import World
from booking_contracts.topics import SESSIONS
from booking_ops.audit import rows, topics
from booking_ops.audit.section import Section
from booking_outbox import EventTopic, Selection, republish


def main(words: Sequence[str]) -> int:
    """Measure each size, one JSON line each."""
    if words[0] == "--one":
        print(json.dumps(asyncio.run(_audited(*words[1:]))))
        return 0
    with system() as made:
        for sessions in map(int, words):
            print(json.dumps({"sessions": sessions, **_measured(made, sessions)}), flush=True)
    return 0


def _measured(made: System, sessions: int) -> dict[str, object]:
    url = made.database("consultation").admin_url
    began = time.monotonic()
    World(sessions, practitioners=max(100, sessions // 20), members=max(1_000, sessions // 10)).fill(url)
    filled = time.monotonic()
    prefix = asyncio.run(_published(made, url))
    said = {"filled_seconds": round(filled - began, 1), "published_seconds": round(time.monotonic() - filled, 1)}
    command = [sys.executable, "-m", "benchmarks.audit", "--one", url, made.kafka.bootstrap, prefix]
    return said | json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


async def _published(made: System, url: str) -> str:
    prefix = await made.topics()
    await republish(
        database_url=url,
        bootstrap=made.kafka.bootstrap,
        topics=[EventTopic(SESSIONS)],
        lock_name="audit",
        topic_prefix=prefix,
        selection=Selection(),
    )
    return prefix


async def _audited(url: str, bootstrap: str, prefix: str) -> dict[str, object]:
    outcome: dict[str, object] = {"start_rss_mb": _peak_rss_mb()}
    for name, section in (
        ("topic", topics.audit_topic(url, bootstrap, SESSIONS, prefix=prefix)),
        ("fold", rows.audit_fold(url, "feedback_session", "feedback_session", rows.session_row)),
        ("claims", rows.audit_sessions(url)),
    ):
        began = time.monotonic()
        found: Section = await section
        outcome |= {f"{name}_seconds": round(time.monotonic() - began, 1), f"{name}_proven": found.proven}
        outcome[f"{name}_peak_rss_mb"] = _peak_rss_mb()
        outcome |= {"events": found.counts["events"]} if "events" in found.counts else {}
    return outcome


def _peak_rss_mb() -> int:
    """The most so far, of this process alone: `ru_maxrss` begins with what its parent held at the fork."""
    status = Path("/proc/self/status").read_text()
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
