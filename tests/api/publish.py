"""Publish a service's committed OpenAPI document: what callers may rely on from now on.

    .venv/bin/python -m tests.api.publish checkout [--breaking-in 2.0.0]

An addition is published as it is. A break is refused, each named, unless `--breaking-in` says the new version: that of
the document, with a higher major number than the published one. Exit codes: 0 published, 1 refused, 2 misused.
"""

import argparse
import shutil
import sys
from pathlib import Path

from tests.api.contract.breaking import breaks
from tests.api.contract.documents import NAMES, Json, committed_file, published_file, read


def major(document: Json) -> int:
    """The first number of the document's version."""
    return int(document["info"]["version"].split(".")[0])


def refusal(old: Json | None, new: Json, breaking_in: str | None) -> str | None:
    """Why `new` may not take the place of `old`; None when it may."""
    found = breaks(old, new) if old is not None else []
    if old is None or not found:
        return None
    version = new["info"]["version"]
    if breaking_in is None:
        listed = "\n".join(f"  {one}" for one in found)
        return f"{len(found)} breaking changes:\n{listed}\nMeant? Raise the version, then give --breaking-in VERSION."
    if breaking_in != version:
        return f"The document says version {version}, not {breaking_in}."
    if major(new) <= major(old):
        return f"A break needs a higher major version than {old['info']['version']}."
    return None


def publish(committed: Path, published: Path, breaking_in: str | None) -> str | None:
    """Copy the document, or return why not."""
    old = read(published) if published.exists() else None
    why_not = refusal(old, read(committed), breaking_in)
    if why_not is None:
        shutil.copyfile(committed, published)
    return why_not


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.api.publish", description=__doc__)
    parser.add_argument("service", choices=NAMES)
    parser.add_argument("--breaking-in", metavar="VERSION", help="the document's new version, with a higher major")
    given = parser.parse_args(arguments)
    why_not = publish(committed_file(given.service), published_file(given.service), given.breaking_in)
    if why_not is not None:
        sys.stderr.write(why_not + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
