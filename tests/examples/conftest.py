"""The analytics example's own environment, which its tests share."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.e2e.system import ROOT

EXAMPLE = ROOT / "examples" / "analytics"


@pytest.fixture(scope="session")
def python() -> Path:
    """The example's own environment."""
    done = subprocess.run([EXAMPLE / "environment"], capture_output=True, text=True, check=False, timeout=600)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"the example's environment can't be had: {done.stderr.strip().splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
