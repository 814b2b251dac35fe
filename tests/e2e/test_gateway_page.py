"""docs/gateway.md is true: its blocks, in their order in one shell, against a running system."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.e2e.system import ROOT

pytestmark = [pytest.mark.servers, pytest.mark.e2e]
PAGE = (ROOT / "docs" / "gateway.md").read_text("utf-8")
TOLD = ("ready", "com.booking.checkout.TransactionPaid.v2", "com.booking.consultation.SessionScheduled.v1")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_page__has_no_block_that_is_not_run():
    assert len(BLOCKS) > 10
    assert PAGE.count("```") == 2 * len(BLOCKS)


def test_blocks__play_the_product_from_the_first_call_to_the_result(state: Path, tmp_path: Path):
    script = tmp_path / "gateway.sh"
    numbered = [f"echo '## block {number}'\n{block}" for number, block in enumerate(BLOCKS, 1)]
    script.write_text("set -euo pipefail\n" + "\n".join(numbered), "utf-8")
    done = subprocess.run(
        ["bash", str(script)],
        cwd=ROOT,
        env={**os.environ, "BOOKING_STATE": str(state), "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    told = done.stdout.splitlines()
    for wanted in ("Sari Lestari", "scheduled", "on_progress", "completed", "ResultUploaded", *TOLD):
        assert wanted in told, done.stdout
    assert any(line.startswith("https://wa.me/") for line in told)
    assert any(line.startswith("http://127.0.0.1:5173/orders?") for line in told), "where the member returns to"
