"""How a run in several processes is spread (`--dist loadfile`): the longest first, so that nobody waits at the end.

A file goes to one process, and the stories of `tests/e2e` that share a stack go together, so that there is one; those
of the gateway's pages, which take as long as all the others, have a second one.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

STORIES = "tests/e2e/"
PAGES = "tests/e2e/test_gateway_"


class Spread(LoadFileScheduling):
    """By file; the stories on the common stack are one."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False  # the files that last longest have few tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        if not file.startswith(STORIES) or file in OF_THEIR_OWN:
            return file
        return PAGES if file.startswith(PAGES) else STORIES


OF_THEIR_OWN = {"tests/e2e/test_audit.py", "tests/e2e/test_erase.py", "tests/e2e/test_seed.py"}
"""Each has a stack of its own, which no other test should meet."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread | None:
    """Ours in place of `loadfile`."""
    return Spread(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In each process of several: files with stacks, then those with servers, then the others; else as collected."""
    if hasattr(config, "workerinput"):
        last = {item.path: _rank(item) for item in items}
        for item in items:
            last[item.path] = min(last[item.path], _rank(item))
        items.sort(key=lambda item: last[item.path])


def _rank(item: pytest.Item) -> int:
    if item.get_closest_marker("e2e"):
        return 0
    return 1 if item.get_closest_marker("servers") else 2
