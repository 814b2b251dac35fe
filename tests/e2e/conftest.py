"""One stack for all stories of a run."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.system import Cast, System, cast, local_stack

from booking_local.layout import Layout
from booking_local.stack import secrets


@pytest.fixture(scope="package")
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
    """A running stack by its state folder; tokens as `booking token` prints them, without a process for each."""

    keys = secrets.load(Layout(state))

    def make_token(*, role: str, sub: str, name: str = "", email: str = "", phone: str = "") -> str:
        return secrets.sign(
            keys, roles=[role], sub=sub, name=name or None, email=email or None, phone_number=phone or None
        )

    running = System(json.loads((state / "endpoints.json").read_text()), make_token)
    yield running
    running.http.close()


@pytest.fixture(scope="package")
def system(state: Path) -> Iterator[System]:
    with system_of(state) as running:
        yield running


@pytest.fixture
def story(system: System) -> Cast:
    return cast(system)
