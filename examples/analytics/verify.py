"""Compare the lake with what the owners say they hold: `python verify.py --ask "./booking counts"`, or `--counts FILE` with what an operator
sent you (`<service> counts` of each owner, in one file).

The owners count each topic by the last hex digit of the key, each in one snapshot of its store: how many, the sum of their versions, and the
sum of the last twelve digits of their ids. The lake counts the same. Ranges that differ are named, with both figures; exit code 1.
On a system that is at work a row changes between their look and ours: what differs is landed and asked again, up to three times, before it
is believed. Compared is which events are there; whether they say what the topics say, `land.py --again` tells.
`booking.assessments.v1` is another system's and `booking.operations.notices.v1` in no store: of them nobody tells counts.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import contract
import lake as lakes
from booking_contracts.topics import ASSESSMENTS, NOTICES, topic_named

RANGES = frozenset("0123456789abcdef")
WORDS = {"topic", "range", "events", "versions", "ids", "until", "since", "waiting"}

# Of events all that were recorded before the owners' `until`. Of state topics each key's newest version, if it has a value, and was made since `since`.
_EVENTS = """
SELECT key[-1:], count(*), sum(ce_sequence), sum(('0x' || ce_id[25:36])::BIGINT)
FROM (SELECT key::VARCHAR AS key, ce_id::VARCHAR AS ce_id, ce_sequence FROM landed.event WHERE topic = $topic AND recorded_at < $until) GROUP BY 1"""
_STATES = """
SELECT key[-1:], count(*), sum(ce_sequence), sum(('0x' || ce_id[25:36])::BIGINT)
FROM (SELECT DISTINCT ON (key) key::VARCHAR AS key, ce_id::VARCHAR AS ce_id, ce_sequence, data, happened_at
      FROM landed.event WHERE topic = $topic ORDER BY key, ce_sequence DESC)
WHERE data IS NOT NULL AND ($since IS NULL OR happened_at >= $since) GROUP BY 1"""


def differences(lake: Path, owners: list[dict]) -> list[str]:
    """Each range of each topic in which the lake and its owner do not hold the same."""
    found = []
    with lakes.opened(lake, read_only=True) as con:
        for name in counted_topics():
            lines = {line["range"]: line for line in owners if line["topic"] == name}
            if uncounted := sorted(RANGES - lines.keys()):
                found.append(f"{name}: no owner told its counts" + (f" of the keys …{' …'.join(uncounted)}" if lines else ""))
            if not lines:
                continue
            first = next(iter(lines.values()))
            until, since = (first[when] and datetime.fromisoformat(first[when]) for when in ("until", "since"))
            query, given = (_STATES, {"since": since}) if topic_named(name).state else (_EVENTS, {"until": until})
            ours = {range_: tuple(map(int, sums)) for range_, *sums in con.execute(query, {"topic": name, **given}).fetchall()}
            for range_, line in sorted(lines.items()):
                mine, theirs = ours.get(range_, (0, 0, 0)), (line["events"], line["versions"], line["ids"])
                if mine != theirs:
                    waiting = f"; {line['waiting']} wait to be sent" if line["waiting"] else ""
                    found.append(f"{name} keys …{range_}: {mine[0]:,} in the lake, {theirs[0]:,} at their owner ({said(mine, theirs)}{waiting})")
    return found


def counted_topics() -> list[str]:
    """Those that the lake has and an owner can count."""
    return sorted(topic.name for topic in contract.LANDED if topic.name not in {ASSESSMENTS.name, NOTICES.name})


def counts(text: str) -> list[dict]:
    """The owners' lines. SystemExit for one that is none, as where a file was cut off."""
    owners = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            owners.append({name: value for name, value in json.loads(line).items() if name in WORDS})
        except (ValueError, AttributeError):
            owners.append({})
        if owners[-1].keys() != WORDS:
            raise SystemExit(f"Line {number} is no owner's count, so nothing was compared: {line[:80]}")
    return owners


def said(mine: tuple, theirs: tuple) -> str:
    if mine[0] != theirs[0]:
        return f"{mine[0] - theirs[0]:+,}"
    return "as many, of other versions" if mine[1] != theirs[1] else "as many, but not the same ones"


def asked(command: str) -> list[dict]:
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, text=True, check=False, timeout=600)
    if done.returncode:
        raise SystemExit(f"`{command}` failed: see above.")
    return counts(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="the lake's folder [lake]")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--counts", type=Path, help="a file of the owners' counts")
    which.add_argument("--ask", metavar="COMMAND", help="what prints the owners' counts")
    parser.add_argument("--land", metavar="COMMAND", help="with --ask: what lands what is new, run after each asking")
    chosen = parser.parse_args()
    found = []
    for attempt in range(3 if chosen.ask else 1):
        time.sleep(attempt * 5)
        owners = asked(chosen.ask) if chosen.ask else counts(chosen.counts.read_text("utf-8"))
        if not owners:
            raise SystemExit("The owners told no counts: nothing was compared.")
        if chosen.land and subprocess.run(shlex.split(chosen.land), check=False).returncode:
            raise SystemExit(f"`{chosen.land}` failed: see above.")
        found = differences(chosen.lake, owners)
        if not found:
            topics = len(counted_topics())
            print(f"The lake holds what its owners hold: {topics} topics, {len(RANGES) * topics} ranges, no difference.")
            return
    print("\n".join(found))
    sys.exit(1)


if __name__ == "__main__":
    main()
