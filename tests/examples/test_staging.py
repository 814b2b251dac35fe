"""The analytics example's views of the events are written from the contract (`make generate`)."""

import subprocess
import sys

from tests.e2e.system import ROOT


def test_staging_models__are_what_the_contract_says() -> None:
    words = [sys.executable, ROOT / "examples" / "analytics" / "staging.py", "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
