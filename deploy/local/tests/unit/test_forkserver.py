"""What the fork server may fork, and what needs a program of its own."""

import sys
from pathlib import Path

import pytest

from booking_local.servers.process import Command
from booking_local.stack.forkserver import needs_a_new_program


def command(tmp_path: Path, **env: str) -> Command:
    return Command("checkout-all", [sys.executable, "-m", "checkout", "all"], tmp_path / "log", env=env)


def test_ordinary_settings__are_taken_by_a_fork(tmp_path: Path):
    assert not needs_a_new_program(command(tmp_path, CRASH_AT="relay.after_ack", PYTHONUNBUFFERED="1"))


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONASYNCIODEBUG", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_what_only_a_new_program_reads__is_not_left_to_a_fork(tmp_path: Path, name: str, monkeypatch):
    """settings/<service>.env: it took effect at the second start only. What the server has itself, forks have."""
    monkeypatch.delenv(name, raising=False)
    assert needs_a_new_program(command(tmp_path, **{name: "1"}))
    monkeypatch.setenv(name, "1")
    assert not needs_a_new_program(command(tmp_path, **{name: "1"}))
