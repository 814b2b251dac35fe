"""What stops a release, and what is said of it."""

import json

import pytest
from deploy.release import make


def component(name, *licences):
    return {"name": name, "version": "1.0", "licenses": list(licences)}


def test_licences__are_listed_by_name_without_ours():
    bill = {
        "components": [
            component("zlib-ng", {"license": {"id": "Zlib"}}),
            component("booking-web", {"license": {"id": "Apache-2.0"}}),
            component(
                "Either", {"expression": "MIT OR Apache-2.0"}, {"license": {"name": "a text of many words " * 9}}
            ),
            component("silent"),
        ]
    }
    found = make.licences(bill)
    assert found == {
        "Either": ("1.0", "MIT OR Apache-2.0"),
        "silent": ("1.0", "none told"),
        "zlib-ng": ("1.0", "Zlib"),
    }
    assert "Either\t1.0\tMIT OR Apache-2.0\n" in make.listed(found)


@pytest.mark.parametrize(
    ("licence", "known"),
    [
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("LGPL-3.0-only", True),
        ("AGPL-3.0-only", False),
        ("GPL-2.0-only", False),
        ("none told", False),
    ],
)
def test_a_licence_that_nobody_has_looked_at__stops_it(licence, known):
    assert make.is_known(licence) == known


def told(*packages):
    return json.dumps({"dependencies": list(packages)})


def test_a_known_weakness__stops_it():
    weak = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217"}]}
    with pytest.raises(make.Refused, match=r"jinja2 2\.10: PYSEC-2019-217"):
        make.verdict(told(weak), "")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (told({"name": "a", "version": "1", "vulns": []}), "no known weakness in 1 packages"),
        (told({"name": "a", "skip_reason": "?"}), "tells no weaknesses, of none of 1 packages"),
        (
            told({"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "?"}),
            "1 could not be asked about: b",
        ),
        ("", "could not be asked"),
    ],
)
def test_an_index_that_does_not_answer__is_said_and_not_taken_for_a_clean_one(output, said):
    assert said in make.verdict(output, "ConnectionError")
