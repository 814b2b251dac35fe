"""The changelog keeps its form (Keep a Changelog): a release has its version and date, what is unreleased its dates."""

import re
from datetime import date

from tests.rules import pages

TITLES = [line for line in (pages.ROOT / "CHANGELOG.md").read_text("utf-8").splitlines() if line.startswith("#")]
KINDS = "Added|Changed|Deprecated|Removed|Fixed|Security"
DAY = r"(\d{4}-\d{2}-\d{2})"


def test_releases__have_a_version_and_a_date_newest_first():
    first, *released = [title for title in TITLES if title.startswith("## ")]
    assert first == "## [Unreleased]"
    found = [re.fullmatch(rf"## \[(\d+)\.(\d+)\.(\d+)\] - {DAY}", title) for title in released]
    assert all(found), released
    versions = [tuple(int(part) for part in one.groups()[:3]) for one in found if one]
    assert versions == sorted(versions, reverse=True)
    assert all(date.fromisoformat(one[4]) for one in found if one)


def test_unreleased__says_when_each_group_came():
    until_release = TITLES[TITLES.index("## [Unreleased]") + 1 :]
    groups = [title for title in until_release if title.startswith("### ")]
    assert groups
    for title in groups:
        found = re.fullmatch(rf"### (?:{KINDS}), {DAY}(?: to {DAY})?(?:: .+)?", title)
        assert found, f"{title!r} is no kind of change with a date"
        assert [date.fromisoformat(day) for day in found.groups() if day]
