"""The one source of time zones: names and rules of the tzdata package that uv.lock pins, in every service.

`zoneinfo.ZoneInfo(name)` prefers the system's files to the package, so that one name means different instants on two
machines, and it opens whatever path it is given: `localtime`, `posixrules`, on some file systems `asia/jakarta`. Here a
zone is a name of the package's own list, letter for letter, and its rules come from the package alone. Nothing else in
this repository asks `zoneinfo` (ruff's `banned-api` holds that).
"""

from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo as Zone  # noqa: TID251  the one place

__all__ = ["Zone", "known_zones", "zone", "zone_named"]

_PLACEHOLDERS = {"Factory"}  # in the release, for machines whose zone nobody has set yet: no place's time


@cache
def known_zones() -> frozenset[str]:
    """The IANA names of the pinned release, old ones such as `US/Pacific` among them."""
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return frozenset(names) - _PLACEHOLDERS


def zone_named(name: str) -> Zone | None:
    """The zone of that IANA name, or None if this release has none of that name. Equal names give one object."""
    return _loaded(name) if name in known_zones() else None


def zone(name: str) -> Zone:
    """The zone of that IANA name; ValueError if this release has none of that name."""
    found = zone_named(name)
    if found is None:
        raise ValueError(f"{name!r} is no IANA time zone")
    return found


@cache  # the list bounds it
def _loaded(name: str) -> Zone:
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return Zone.from_file(rules, key=name)
