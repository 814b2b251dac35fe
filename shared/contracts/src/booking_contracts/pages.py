"""The pages that are made of topics, corpus and history: the catalogue of events, and what changed in the contract."""

import json
import re
from pathlib import Path
from typing import Any

from booking_contracts.corpus import NAMES, golden
from booking_contracts.event import Event
from booking_contracts.topics import TOPICS, Topic

_HISTORY = Path(__file__).resolve().parents[2] / "schemas.published" / "history.json"
_CORPUS = "../shared/contracts/src/booking_contracts/corpus"
_RULE = re.compile(r"\b[PRSLCNE][1-9]\d?\b")
_SPAN = re.compile(r"\b([PRSLCNE])([1-9]\d?) to \1([1-9]\d?)\b")
_NOTE = "<!-- Generated from shared/contracts by `python -m booking_contracts.generate`; do not edit. -->\n"

_CATALOGUE = """
# The catalogue of events

Who writes what, who reads it, since when, by which rule, and how large it is: every version of every type that is on a
topic. [events.md](events.md) has each field, [consuming.md](consuming.md) how to read from outside,
[contract-changes.md](contract-changes.md) what came when.

- *Since* is the version of the contract that published it; a type that is there in two versions is written in the
  higher one.
- *Rules* are those of [product.md](product.md) that the type's own words name.
- *Bytes* are the golden record's: the value, and the whole record with key and headers, before it is packed. In batches
  of a hundred zstd takes about four fifths away (ADR 12).

"""

_CHANGES = """
# What changed in the contract

The contract of the streams has one version, for topics, types and headers, the wheel and the npm package: a break
raises the first number, an addition the second. Readers go on as they are through every addition; a break says why.
What is promised today lies in `shared/contracts/schemas.published/`, and only `python -m tests.streams.publish` moves
it. Which event means what: [events.md](events.md).
"""


def history() -> list[dict[str, Any]]:
    """What was published, oldest first; empty where nothing was."""
    return json.loads(_HISTORY.read_text("utf-8")) if _HISTORY.exists() else []


def catalogue() -> str:
    """The page of topics and types, with a picture of who writes and reads them."""
    return _NOTE + _CATALOGUE + _picture() + "".join(map(_section, TOPICS))


def changes() -> str:
    """The page of the contract's versions, newest first."""
    return _NOTE + _CHANGES + "".join(map(_version, reversed(history())))


def _picture() -> str:
    """Writers, topics, readers. A data team reads what is inside the frame, so that needs no arrows of its own."""
    lines = ["```mermaid", "flowchart LR"]
    writers = dict.fromkeys(name for topic in TOPICS for name in topic.writers)
    lines += [f"  {_node('w', writer)}[{writer}]" for writer in writers]
    for frame, open_ in (("a data team reads these", True), ("nobody but these readers", False)):
        lines.append(f'  subgraph {"open" if open_ else "closed"} ["{frame}"]')
        lines += [f"    {_topic(topic)}([{_short(topic)}])" for topic in TOPICS if topic.analytics is open_]
        lines.append("  end")
    for topic in TOPICS:
        lines += [f"  {_node('w', writer)} --> {_topic(topic)}" for writer in topic.writers]
        lines += [f"  {_topic(topic)} --> {_node('r', reader)}([{reader}])" for reader in topic.readers]
    return "\n".join([*lines, "```", ""])


def _node(side: str, name: str) -> str:
    return f"{side}_{name.replace('-', '_')}"


def _topic(topic: Topic) -> str:
    return "t_" + re.sub(r"\W", "_", _short(topic))


def _short(topic: Topic) -> str:
    return topic.name.removeprefix("booking.").removesuffix(".v1")


def _section(topic: Topic) -> str:
    readers = ", ".join([*topic.readers, *(["a data team"] if topic.analytics else [])]) or "nobody of ours"
    kept = "state, the newest of each key counts" if topic.state else "events, in order by key"
    rows = [_row(event, version) for event in topic.events for version in range(event.TYPE_VERSION, 0, -1)]
    who = f"Written by {', '.join(topic.writers)}; read by {readers}. Key `{topic.key}`; {kept}."
    head = "| type | says | rules | since | bytes: value, record | example |\n| --- | --- | --- | --- | --- | --- |\n"
    return f"\n## {topic.name}\n\n{topic.about} {who}\n\n{head}{''.join(rows)}"


def _row(event: type[Event], version: int) -> str:
    name = f"{event.TYPE}.v{version}"
    words = " ".join((event.__doc__ or "").split())
    says = words.partition(". ")[0].rstrip(".") + "."
    rules = ", ".join(_rules(words)) or "–"
    value, record = _bytes(name)
    link = f"[{name}]({_CORPUS}/{name}.json)"
    earlier = " Read, no longer written." if version < event.TYPE_VERSION else ""
    anchor = f"[`{name}`](events.md#{event.TYPE.lower()})"
    return f"| {anchor} | {says}{earlier} | {rules} | {_since(name)} | {value}, {record} | {link} |\n"


def _rules(words: str) -> list[str]:
    """Each rule that is named, a span such as S1 to S4 spelled out."""
    spans = _SPAN.findall(words)
    between = {f"{letter}{n}" for letter, low, high in spans for n in range(int(low), int(high) + 1)}
    return sorted({*_RULE.findall(words), *between})


def _bytes(name: str) -> tuple[int | str, int | str]:
    if name not in NAMES:
        return "–", "–"
    record = golden(name)
    value = len(record.value or b"")
    headers = sum(len(header) + len(text or b"") for header, text in record.headers)
    return value, value + headers + len(record.key or b"")


def _since(name: str) -> str:
    return next((entry["version"] for entry in history() if f"`{name}`" in entry["added"]), "the next")


def _version(entry: dict[str, Any]) -> str:
    lines = [f"\n## {entry['version']} ({entry['date']})\n", f"{entry['adds']}\n"]
    if entry["broke"]:
        lines += [f"**A break**: {entry['because']}\n", *[f"- {one}" for one in entry["broke"]], ""]
    if entry["added"]:
        lines += [f"Added: {_listed(entry['added'])}.\n"]
    return "\n".join(lines)


def _listed(added: list[str]) -> str:
    """Fields behind their type, each type once."""
    fields: dict[str, list[str]] = {}
    others: list[str] = []
    for one in added:
        name, _, field = one.partition(" ")
        if field and name not in {"topic", "header"}:
            fields.setdefault(name, []).append(field)
        else:
            others.append(one)
    return "; ".join(
        [", ".join(others)] * bool(others) + [f"{name}: {', '.join(found)}" for name, found in fields.items()]
    )
