"""Where a Docker engine answers these run; elsewhere they are skipped, and the reason is printed."""

import subprocess

import pytest
from testcontainers.core.config import testcontainers_config

# Each test ends its own containers; the reaper would be one more image to fetch.
testcontainers_config.ryuk_disabled = True


def engine_missing() -> str | None:
    """Return why no container can run here, or None."""
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as missing:
        return f"no Docker engine: {missing}"
    return None if asked.returncode == 0 else f"no Docker engine answers: {asked.stderr.strip()[:200]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if item.get_closest_marker("docker")]
    reason = engine_missing() if mine else None
    for item in mine if reason else ():
        item.add_marker(pytest.mark.skip(reason=reason or ""))
