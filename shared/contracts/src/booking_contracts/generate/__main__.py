"""`python -m booking_contracts.generate [--check]`: write the generated files, or say which are out of date."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from booking_contracts.generate.async_api import document
from booking_contracts.generate.json_schema import schema_of
from booking_contracts.generate.page import page
from booking_contracts.registry import EVENTS

CONTRACTS = Path(__file__).resolve().parents[3]
PAGE = CONTRACTS.parents[1] / "docs" / "events.md"


def generated() -> Iterator[tuple[Path, str]]:
    """Each generated file with the text that it should have today."""
    for event in EVENTS.values():
        path = CONTRACTS / "schemas" / f"{event.TYPE}.v{event.TYPE_VERSION}.json"
        yield path, json.dumps(schema_of(event), indent=2, ensure_ascii=False) + "\n"
    yield CONTRACTS / "asyncapi.json", json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    yield PAGE, page()


def outdated() -> list[Path]:
    """The files that are missing or whose text is no longer the generated one."""
    return [path for path, text in generated() if not path.exists() or path.read_text("utf-8") != text]


def main() -> int:
    """Write, or with `--check` only look; 1 if something was out of date and is not written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    if parser.parse_args().check:
        for path in outdated():
            sys.stderr.write(f"out of date: {path}; run `make generate`\n")
        return 1 if outdated() else 0
    for path, text in generated():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
