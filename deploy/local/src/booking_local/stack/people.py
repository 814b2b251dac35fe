"""Whom the local identity provider's page offers to choose, beside those who signed in there before."""

import json
from collections.abc import Iterable
from typing import Any

from booking_local.layout import Layout, replace


def offer(layout: Layout, people: Iterable[dict[str, Any]]) -> None:
    """Adds people, each with `sub`, `roles` and what claims tell of them; who is there already is replaced."""
    known = json.loads(layout.people.read_text("utf-8")) if layout.people.exists() else []
    by_sub = {one["sub"]: one for one in (*known, *people)}
    replace(layout.people, json.dumps(list(by_sub.values()), indent=1))
