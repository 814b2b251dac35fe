"""One source of time zones: the pinned release, whatever the system has."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest

from booking_contracts.zones import known_zones, zone, zone_named

JAKARTA = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Jakarta")
PROGRAM = """
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo
from booking_contracts.zones import zone_named
at = datetime(2026, 12, 15, 17, tzinfo=UTC)
def hours(zone):
    return zone and at.astimezone(zone).utcoffset().total_seconds() / 3600
name = "America/Vancouver"
print(json.dumps([hours(ZoneInfo(name)), hours(zone_named(name)), hours(zone_named("localtime"))]))
"""


def test_system_with_other_rules__the_pinned_ones_count(tmp_path: Path):
    """S1: Python prefers the system's files. Here they give Vancouver the rules of Jakarta."""
    (tmp_path / "America").mkdir()
    for name in ("America/Vancouver", "localtime"):
        (tmp_path / name).write_bytes(JAKARTA.read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [7, -7, None]


def test_system_without_zones__every_zone_is_there():
    """S1: also in an image that has no zone files at all. Each has an offset, and one object per name."""
    for name in known_zones():
        assert zone(name).key == name
        assert datetime(2026, 12, 15, tzinfo=UTC).astimezone(zone(name)).utcoffset() is not None
        assert zone(name) is zone_named(name)
    assert len(known_zones()) > 590


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("America/Vancouver", 16),
        ("America/Edmonton", 15),
        ("America/Winnipeg", 14),
        ("Africa/Casablanca", 9),
        ("America/Havana", 13),
    ],
)
def test_release__is_not_older_than_2026f(name: str, hours: int):
    """S1: nine in the morning of 15 December 2026 there, in UTC: rules that changed in 2026 (NEWS of tz 2026f)."""
    assert datetime(2026, 12, 15, 9, tzinfo=zone(name)).astimezone(UTC) == datetime(2026, 12, 15, hours, tzinfo=UTC)


@pytest.mark.parametrize("name", ["UTC", "US/Pacific", "Eire", "GB", "EST5EDT", "Etc/GMT+12", "Asia/Jakarta"])
def test_old_names_of_the_release__are_names(name: str):
    """S1."""
    assert zone(name).key == name


@pytest.mark.parametrize(
    "name",
    [
        "", "localtime", "posixrules", "Factory", "WIB", "asia/jakarta", "america/vancouver", "utc", "Asia/Jakarta ",
        "Asia", "Asia/", "/Asia/Jakarta", "./Asia/Jakarta", "Asia//Jakarta", "Asia/../Asia/Jakarta", "Asia\\Jakarta",
        "../../etc/passwd", "/etc/localtime", "posix/Asia/Jakarta", "right/Asia/Jakarta", "SystemV/PST8PDT", "zone.tab",
        "tzdata.zi", "__init__.py", "UTC+7", "+07:00", "Asia/Jakarta\x00", "a" * 500,
    ],
)  # fmt: skip
def test_anything_else__is_no_zone(name: str):
    """S1: a name of the release, letter for letter; no path is ever opened."""
    assert zone_named(name) is None
    with pytest.raises(ValueError, match="no IANA time zone"):
        zone(name)
