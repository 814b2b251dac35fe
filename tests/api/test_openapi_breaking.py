"""A breaking change of a published contract fails the build (api.md); a meant one is published with a new version."""

import copy
import json
import shutil
import subprocess

import pytest
from tests.api.contract.breaking import breaks
from tests.api.contract.changes import ADDITIVE, BREAKING, SHARED, Change
from tests.api.contract.documents import NAMES, SERVICES, Json, committed_file, published_file, read, spelled_out
from tests.api.contract.schemas import EXTENSIBLE
from tests.api.publish import major

HOW = "keep what callers rely on, or publish the break with a new version: docs/api.md, Changes of the interface"


@pytest.mark.parametrize("name", NAMES)
def test_document__keeps_what_was_published(name: str):
    assert breaks(read(published_file(name)), read(committed_file(name))) == [], HOW


@pytest.mark.parametrize("name", NAMES)
def test_published_document__was_only_ever_broken_with_a_new_major_version(name: str):
    """Also when somebody edits it by hand: against HEAD's, and that of every release (a tag `v*`)."""
    now = read(published_file(name))
    for ref in ["HEAD", *_git("tag", "--list", "v*").split()]:
        text = _git("show", f"{ref}:services/{name}/openapi.published.json")
        if text and major(json.loads(text)) == major(now):
            assert breaks(json.loads(text), now) == [], f"published at {ref}"


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING.keys())
def test_breaking_change__is_found_wherever_it_is_possible(change: Change):
    changed = [(old, new) for old, new in _documents() if change(new)]
    assert changed, "no document has anything to change so"
    for old, new in changed:
        assert breaks(old, new), change.__name__


@pytest.mark.parametrize("change", ADDITIVE.values(), ids=ADDITIVE.keys())
def test_additive_change__passes(change: Change):
    changed = [(old, new) for old, new in _documents() if change(new)]
    assert changed, "no document has anything to change so"
    for old, new in changed:
        assert breaks(old, new) == []


@pytest.mark.parametrize("change", SHARED.values(), ids=SHARED.keys())
def test_change_of_what_operations_share__breaks_each_of_them(change: Change):
    for old in (read(committed_file(name)) for name in NAMES):
        new = copy.deepcopy(old)
        assert change(new)
        assert len(breaks(old, new)) > 1


def test_values_of_an_answer__may_grow_where_callers_were_told_so():
    for old, new in _documents():
        if BREAKING["enum_of_an_answer_widened"](new):
            for schema in _enums(old):
                schema[EXTENSIBLE] = True
            assert breaks(old, new) == []


@pytest.mark.parametrize("name", NAMES)
def test_oasdiff__finds_no_break_either(name: str):
    """A second opinion, where that program is installed."""
    oasdiff = shutil.which("oasdiff")
    if oasdiff is None:
        pytest.skip("oasdiff is not on PATH; the comparison of our own ran")
    command = [oasdiff, "breaking", "--fail-on", "ERR", str(published_file(name)), str(committed_file(name))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def _documents() -> list[tuple[Json, Json]]:
    """Each as it is written, and a copy to change: one operation's own, so what it shares is spelled out."""
    return [(document, spelled_out(document)) for document in (read(committed_file(name)) for name in NAMES)]


def _enums(node: object) -> list[Json]:
    match node:
        case dict():
            here = [node] if isinstance(node.get("enum"), list) else []
            return here + [found for value in node.values() for found in _enums(value)]
        case list():
            return [found for value in node for found in _enums(value)]
        case _:
            return []


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=SERVICES, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
