"""The tables of docs/access.md: `python -m booking_ops.access.page docs/access.md` writes them between its marks."""

import sys
from pathlib import Path

from booking_contracts.access import GROUPS, grants, principals
from booking_ops.access.privileges import TABLES

BEGIN, END = "<!-- made by booking_ops.access.page: -->", "<!-- until here -->"


def tables() -> str:
    """Each principal's permissions at the broker, and each role's in the databases."""
    lines = ["| principal | reads | writes | besides |", "| --- | --- | --- | --- |"]
    for name in principals():
        of: dict[str, set[str]] = {}
        for one in grants(name):
            if one.resource == "topic":
                of.setdefault(one.operation, set()).add(one.name)
        cells = [_topics(of.pop("Read", set())), _topics(of.pop("Write", set()))]
        besides = [f"{words} on {_topics(found)}" for found, words in _alike(of).items()]
        if name in GROUPS:
            besides.append(f"groups `{GROUPS[name]}…`")
        elif any(one.resource == "group" for one in grants(name)):
            besides.append("looks at all groups")
        lines.append(f"| `{name}` | {cells[0]} | {cells[1]} | {'; '.join(besides)} |")
    lines += ["", "| database | `…_app` | `…_analytics` reads |", "| --- | --- | --- |"]
    for service, told in TABLES.items():
        alike: dict[str, list[str]] = {}
        for table, words in sorted(told.app.items()):
            alike.setdefault(", ".join(sorted(words)), []).append(f"`{table}`")
        app = "; ".join(f"{words}: {', '.join(found)}" for words, found in sorted(alike.items()))
        reads = ", ".join(
            f"`{table}`" + (f" without {', '.join(f'`{one}`' for one in sorted(withheld))}" if withheld else "")
            for table, withheld in sorted(told.analytics.items())
        )
        lines.append(f"| `{service}` | {app} | {reads} |")
    return "\n".join(lines)


def written(text: str) -> str:
    """The page with its tables made anew."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def _alike(of: dict[str, set[str]]) -> dict[frozenset[str], str]:
    found: dict[frozenset[str], str] = {}
    for operation, names in sorted(of.items()):
        found[frozenset(names)] = ", ".join(filter(None, (found.get(frozenset(names)), operation)))
    return found


def _topics(names: set[str] | frozenset[str]) -> str:
    every = {one.name for name in principals() for one in grants(name) if one.resource == "topic"}
    if not names:
        return "–"
    if names == every:
        return "every topic"
    if len(every - names) <= 2:
        return "every topic but " + _listed(every - names)
    return _listed(names)


def _listed(names: set[str] | frozenset[str]) -> str:
    return ", ".join(f"`{name.removeprefix('booking.').removesuffix('.v1')}`" for name in sorted(names))


def main() -> int:
    """Write the page that is named."""
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
