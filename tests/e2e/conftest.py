"""One stack for all stories of a run."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.system import Cast, System, booking, cast, local_stack


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running stack's state folder: one of our own, or that of E2E_STATE, which is left running."""
    if given := os.environ.get("E2E_STATE"):
        yield Path(given)
        return
    folder = tmp_path_factory.mktemp("stack")
    with local_stack(folder):
        yield folder


@contextmanager
def system_of(state: Path) -> Iterator[System]:
    """A running stack by its state folder."""

    def make_token(*, role: str, sub: str, name: str = "", email: str = "", phone: str = "") -> str:
        words = ["token", "--role", role, "--sub", sub]
        for flag, value in (("--name", name), ("--email", email), ("--phone", phone)):
            words += [flag, value] if value else []
        made = booking(*words, state=state)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    running = System(json.loads((state / "endpoints.json").read_text()), make_token)
    yield running
    running.http.close()


@pytest.fixture(scope="session")
def system(state: Path) -> Iterator[System]:
    with system_of(state) as running:
        yield running


@pytest.fixture
def story(system: System) -> Cast:
    return cast(system)
