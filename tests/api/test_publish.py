"""A break is published knowingly, with a new major version, or not at all."""

import copy
import json

import pytest
from tests.api.contract.documents import committed_file, read
from tests.api.publish import main, major, publish

DOCUMENT = read(committed_file("notifier"))
NEXT = f"{major(DOCUMENT) + 1}.0.0"


@pytest.fixture
def files(tmp_path):
    """The committed and the published document of a service, alike."""
    committed, published = tmp_path / "openapi.json", tmp_path / "openapi.published.json"
    for file in (committed, published):
        file.write_text(json.dumps(DOCUMENT), "utf-8")
    return committed, published


def _broken(version: str) -> str:
    broken = copy.deepcopy(DOCUMENT)
    del broken["paths"]["/v1/preferences"]
    broken["info"]["version"] = version
    return json.dumps(broken)


def test_no_document_yet__the_first_is_published(files):
    committed, published = files
    published.unlink()
    assert publish(committed, published, None) is None
    assert read(published) == DOCUMENT


def test_addition__is_published_without_more(files):
    committed, published = files
    added = copy.deepcopy(DOCUMENT)
    added["paths"]["/v1/new"] = {}
    committed.write_text(json.dumps(added), "utf-8")
    assert publish(committed, published, None) is None
    assert read(published) == added


@pytest.mark.parametrize(
    ("version", "told", "why"),
    [
        (NEXT, None, "the path was removed"),
        (NEXT, "99.0.0", f"says version {NEXT}"),
        (DOCUMENT["info"]["version"], DOCUMENT["info"]["version"], "higher major"),
    ],
)
def test_break__is_refused_with_its_reason_and_nothing_is_written(files, version, told, why):
    committed, published = files
    committed.write_text(_broken(version), "utf-8")
    refused = publish(committed, published, told)
    assert refused is not None
    assert why in refused
    assert read(published) == DOCUMENT


def test_break__is_published_with_the_new_version(files):
    committed, published = files
    committed.write_text(_broken(NEXT), "utf-8")
    assert publish(committed, published, NEXT) is None
    assert "/v1/preferences" not in read(published)["paths"]


def test_command__knows_the_services_only():
    with pytest.raises(SystemExit, match="2"):
        main(["nobody"])
