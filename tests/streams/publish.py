"""Publish the contract of the streams: what readers of the topics may rely on from now on.

    .venv/bin/python -m tests.streams.publish --adds "what readers get"
    .venv/bin/python -m tests.streams.publish --breaking-in 2.0.0 --because "why readers must change" [--adds ...]
    .venv/bin/python -m tests.streams.publish --check

The promise is `shared/contracts/schemas.published/`, which no generation touches: the AsyncAPI document, the schema of
each version of each type, and `history.json`, which says of each version when it was published, what it added, why it
broke what, and the sum of the files and of itself, so that nobody moves them by hand. An addition needs a higher
version (1.0.0 → 1.1.0, `VERSION` in booking_contracts.generate) and a line that tells readers of it, a break a higher
first number, `--breaking-in` with it, and a reason. Each version is in the history once: published again it takes other
words in, and is refused where it would tell readers of more. The pages that tell of it are written anew. `--check`
publishes nothing.
Exit codes: 0 published (or kept), 1 refused, 2 misused.
"""

import argparse
import hashlib
import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.streams.breaking import Contract, added, additions, breaks, concerned, spelled_out

from booking_contracts.generate import PACKAGE, generated

PUBLISHED = PACKAGE.parents[1] / "schemas.published"
HISTORY = "history.json"


def committed(package: Path = PACKAGE) -> Contract:
    """What the code generates (`make generate`)."""
    return _contract(package / "asyncapi.json", package / "schemas")


def published(folder: Path = PUBLISHED) -> Contract | None:
    """What readers were promised; None before the first time."""
    document = folder / "asyncapi.json"
    return _contract(document, folder) if document.exists() else None


def history(folder: Path = PUBLISHED) -> list[dict[str, Any]]:
    """Each publication: `version`, `date`, what it `adds` in a line and `added` in names, what it `broke`, `because` of
    what, and the `sum` of its files."""
    file = folder / HISTORY
    return json.loads(file.read_text("utf-8")) if file.exists() else []


def total(folder: Path, told: list[dict[str, Any]]) -> str:
    """SHA-256 over the published files, names and contents, and over what readers were `told`, without its sums."""
    digest = hashlib.sha256()
    words = [{name: value for name, value in entry.items() if name != "sum"} for entry in told]
    digest.update(json.dumps(words, sort_keys=True).encode() + b"\0")
    for file in sorted(folder.glob("*.json")):
        if file.name != HISTORY:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def refusal(
    old: Contract | None,
    new: Contract,
    breaking_in: str | None,
    because: str | None,
    adds: str | None = None,
    *,
    told: str | None = None,
) -> str | None:
    """Why `new` may not take the place of `old`, of which readers were `told`; None when it may."""
    if old is None:
        return None
    found, same = breaks(old, new), new.version == old.version
    higher_first, higher = _numbers(new)[0] > _numbers(old)[0], _numbers(new)[:2] > _numbers(old)[:2]
    rules = (
        (
            found and breaking_in is None,
            f"{_listed(found, old)}\nMeant? Raise VERSION, then give --breaking-in VERSION --because REASON.",
        ),
        (found and breaking_in != new.version, f"The contract says version {new.version}, not {breaking_in}."),
        (found and not because, "A break needs --because: the reason that readers are told."),
        (found and not higher_first, f"A break needs a higher first number than that of {old.version}."),
        (
            additions(old, new) and not higher,
            f"An addition needs a higher version than {old.version}: raise its second number.",
        ),
        (
            added(old, new) and not adds,
            f"An addition needs --adds: a line that tells readers of {', '.join(added(old, new))}.",
        ),
        (_numbers(new) < _numbers(old), f"Version {old.version} is published: {new.version} would be a step back."),
        (
            same and adds is not None and adds != told,
            f"Version {old.version} is published already, and nothing was added: raise VERSION to tell readers more.",
        ),
    )
    return next((why for broken, why in rules if broken), None)


def publish(
    package: Path, folder: Path, breaking_in: str | None = None, because: str | None = None, adds: str | None = None
) -> str | None:
    """Move the promise to what is committed, or return why not."""
    old, new, before = published(folder), committed(package), history(folder)
    last = before[-1] if before else None
    told = last["adds"] if last else None
    if (why_not := refusal(old, new, breaking_in, because, adds, told=told)) is not None:
        return why_not
    nothing = Contract({**new.document, "channels": {}, "components": {"messages": {}}}, {})
    broke, more = breaks(old, new) if old else [], added(old or nothing, new)
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.json"):
        file.unlink()
    for file in [package / "asyncapi.json", *(package / "schemas").glob("*.json")]:
        shutil.copyfile(file, folder / file.name)
    entry = {"version": new.version, "date": f"{datetime.now(UTC):%Y-%m-%d}", "adds": adds, "added": more}
    entry |= {"broke": broke, "because": because}
    if last is not None and last["version"] == new.version:
        before, entry = before[:-1], last
    text = json.dumps([*before, {**entry, "sum": total(folder, [*before, entry])}], indent=2, ensure_ascii=False)
    (folder / HISTORY).write_text(text + "\n", "utf-8")
    return None


def problems(package: Path = PACKAGE, folder: Path = PUBLISHED) -> str | None:
    """What a commit is refused for: a broken promise, or a promise that was moved by hand."""
    old = published(folder)
    if old is None or not history(folder):
        return "Nothing is published: schemas.published/ is empty."
    if history(folder)[-1]["sum"] != total(folder, history(folder)):
        return "schemas.published/ was changed by hand: only `python -m tests.streams.publish` moves it."
    new = committed(package)
    if found := breaks(old, new):
        return _listed(found, old)
    if additions(old, new) and not _numbers(new)[:2] > _numbers(old)[:2]:
        return (
            f"Version {old.version} is published, and the packages would say something else under it"
            f"{''.join(f', {one}' for one in added(old, new))}: raise the second number of VERSION in "
            "booking_contracts.generate, and with it those of the wheel (shared/contracts/pyproject.toml) and the npm "
            "package (clients/events/package.json and its lock)."
        )
    return None


def _listed(found: list[str], old: Contract) -> str:
    listed = "\n".join(f"  {one}" for one in (*found, *concerned(found, old)))
    return f"{len(found)} breaks of what readers were promised:\n{listed}"


def _numbers(contract: Contract) -> tuple[int, ...]:
    return tuple(map(int, contract.version.split(".")))


def _contract(document: Path, schemas: Path) -> Contract:
    files = [file for file in schemas.glob("*.v*.json") if file.name != HISTORY]
    return Contract(_read(document), {file.name: spelled_out(_read(file)) for file in sorted(files)})


def _read(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.streams.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="publish nothing; exit 1 if a promise is broken")
    parser.add_argument("--breaking-in", metavar="VERSION", help="the contract's new version, its first number higher")
    parser.add_argument("--adds", metavar="LINE", help="what was added, for the readers, in a line of Markdown")
    parser.add_argument("--because", metavar="REASON", help="why it must break, for the readers")
    given = parser.parse_args(arguments)
    if given.check:
        why_not = problems()
    else:
        why_not = publish(PACKAGE, PUBLISHED, given.breaking_in, given.because, given.adds)
        for path, text in generated():
            path.write_text(text, "utf-8")
    if why_not is not None:
        sys.stderr.write(why_not + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
