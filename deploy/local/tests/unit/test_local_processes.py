"""Only what is ours is ever signalled."""

import json
import os
import subprocess
import sys

import pytest

from booking_local.layout import Layout
from booking_local.servers import process as processes
from booking_local.servers.process import MARK

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    made.make()
    return made


@pytest.fixture
def started():
    running = []

    def start(**environment):
        running.append(subprocess.Popen(SLEEP, env={**os.environ, **environment}))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_written_down__found_again(layout, started):
    process = started()
    processes.write_down(layout, {"checkout-all": process.pid})
    assert processes.leftovers(layout) == [process.pid]


def test_id_reused_by_another_program__left_alone(layout, started):
    process = started()
    layout.processes.write_text(json.dumps({str(process.pid): "another birth"}))
    assert processes.leftovers(layout) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_never_written_down_but_marked__found(layout, started):
    process = started(**{MARK: os.path.realpath(layout.folder)})
    assert processes.leftovers(layout) == [process.pid]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_marked_for_another_folder__left_alone(layout, started):
    started(**{MARK: os.path.realpath(layout.folder) + "-other"})
    assert processes.leftovers(layout) == []


def test_end__a_process_that_ignores_the_polite_signals_is_killed(started):
    code = (
        "import signal, time\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\nprint(1, flush=True); time.sleep(600)"
    )
    stubborn = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    processes.end([stubborn.pid], seconds=0.3)
    assert stubborn.wait(5) == -9
    stubborn.stdout.close()
