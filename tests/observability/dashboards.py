"""`python -m tests.observability.dashboards [FOLDER]`: Grafana's dashboards, by its SDK in its own environment."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.observability.promql import FOLDER

from booking_local.packages import python_with

GRAFANA = FOLDER / "grafana"


def generate(folder: Path) -> None:
    """Writes them into the folder. Raises UnavailableError where the SDK can't be had."""
    python = asyncio.run(python_with(GRAFANA / "sdk.txt"))
    subprocess.run([python, GRAFANA / "generate.py", folder], check=True, timeout=120)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else GRAFANA / "dashboards")
