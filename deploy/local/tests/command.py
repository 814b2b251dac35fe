"""The `booking` command as a process, as a person runs it."""

import os
import subprocess
import sys


def booking(*words, **environment):
    """The finished process: exit code and what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "booking_local", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )
