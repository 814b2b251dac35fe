"""`booking up`, with the real servers and stand-ins, on folders of its own. The services have tests/e2e."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from deploy.local.tests.command import booking

from booking_contracts.deadlines import connected
from booking_local.layout import Layout
from booking_local.servers import process
from booking_local.stack import control, supervisor

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
TOPIC = "booking.consultation.sessions.v1"


def up(folder, *words):
    done = booking("up", "--detach", "--no-services", "--state", str(folder), *words)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "endpoints.json").read_text())


def down(folder):
    assert booking("down", "--state", str(folder)).returncode == 0


def pid_of(endpoints, name):
    return next(one["pid"] for one in endpoints["processes"] if one["name"] == name)


async def append(endpoints):
    with psycopg.connect(endpoints["postgres"]["checkout"]) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
        owner.execute("INSERT INTO kept VALUES (7)")
    async with connected(AIOKafkaProducer(bootstrap_servers=endpoints["kafka"], acks="all")) as producer:
        await producer.send_and_wait(TOPIC, b"{}", partition=0)


async def read(endpoints):
    with psycopg.connect(endpoints["postgres"]["checkout"]) as owner:
        rows = owner.execute("SELECT id FROM kept").fetchall()
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=endpoints["kafka"], auto_offset_reset="earliest")
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), 60)
    return rows, record.value


def until(what, look, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)
    return found


@pytest.fixture
def folder(tmp_path):
    state = tmp_path / "a state folder with spaces"
    yield state
    down(state)


async def test_everything_killed__up_again_loses_nothing(folder):
    endpoints = up(folder)
    await append(endpoints)
    supervisor = control.supervisor_pid(Layout(folder))
    for pid in [supervisor, *(one["pid"] for one in endpoints["processes"])]:
        os.kill(pid, signal.SIGKILL)
    assert await read(up(folder)) == ([(7,)], b"{}")


async def test_only_the_supervisor_killed__the_next_one_ends_what_it_left(folder):
    endpoints = up(folder)
    await append(endpoints)
    os.kill(control.supervisor_pid(Layout(folder)), signal.SIGKILL)  # pyright: ignore[reportArgumentType]
    left = process.leftovers(Layout(folder))
    assert pid_of(endpoints, "kafka") in left
    assert await read(up(folder)) == ([(7,)], b"{}")
    assert all(process.birth(pid) is None for pid in left)


def test_process_killed__started_again_and_endpoints_stay_true(folder):
    before = up(folder)
    for name in ("mailbox", "postgres"):
        killed = pid_of(before, name)
        os.kill(killed, signal.SIGKILL)

        def again(name=name, killed=killed):
            processes = json.loads((folder / "endpoints.json").read_text())["processes"]
            return next((one["pid"] for one in processes if one["name"] == name and one["pid"] != killed), None)

        until(f"{name} again", again)
    log = (folder / "logs" / "supervisor.log").read_text()
    assert "mailbox was killed by SIGKILL; starting it again" in log
    until("postgres takes connections", lambda: _connects(before["postgres"]["checkout"]))
    assert booking("status", "--state", str(folder)).returncode == 0


def test_two_side_by_side__down_ends_only_its_own(folder, tmp_path):
    other = tmp_path / "other"
    mine, theirs = up(folder), up(other)
    try:
        assert mine["kafka"] != theirs["kafka"]
        down(folder)
        assert not (folder / "endpoints.json").exists()
        assert process.leftovers(Layout(folder)) == []
        assert all(process.birth(one["pid"]) for one in theirs["processes"])
        assert booking("status", "--state", str(other)).returncode == 0
    finally:
        down(other)


def test_up_twice__the_second_says_so_and_changes_nothing(folder):
    first = up(folder)
    assert up(folder) == first


def test_port_taken__one_sentence_exit_1_nothing_left(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = booking("up", "--detach", "--state", str(folder), "--port-base", port)
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "another --port-base" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert process.leftovers(Layout(folder)) == []


def test_broken_java__one_sentence_exit_1_nothing_left(folder):
    done = booking("up", "--detach", "--no-services", "--state", str(folder), BOOKING_JAVA="/bin/false")
    assert done.returncode == 1
    assert "Kafka doesn't start" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert process.leftovers(Layout(folder)) == []


def living_in(folder):
    """The processes whose working directory is the stack's, marked or not."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").resolve() == folder.resolve():
                found.append((entry.name, (entry / "cmdline").read_bytes().replace(b"\0", b" ")))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("broken", ["java", "migrations", "settings"])
def test_failed_up__leaves_no_process(folder, broken):
    """An identity or a migration was left without a parent, 72 MB each."""
    environment = {"BOOKING_JAVA": "/bin/false"} if broken == "java" else {}
    if broken != "java":
        (folder / "settings").mkdir(parents=True)
        line = (
            "DATABASE_OWNER_URL=postgresql://nobody_owner:x@127.0.0.1:1/none" if broken == "migrations" else "JWT_X=1"
        )
        (folder / "settings" / "consultation.env").write_text(line + "\n")
    done = booking("up", "--detach", "--state", str(folder), **environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert living_in(folder) == []
    assert not (folder / "endpoints.json").exists()


def heed_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_up_ended_in_the_middle__leaves_no_process(folder):
    layout = Layout(folder)
    words = [sys.executable, "-m", "booking_local", "up", "--detach", "--state", str(folder)]
    nowhere = subprocess.DEVNULL
    # Who runs the tests in a shell's background ignores SIGINT, and so would the child.
    with subprocess.Popen(words, stdout=nowhere, stderr=nowhere, preexec_fn=heed_sigint) as starting:  # noqa: PLW1509
        until("a supervisor", lambda: control.supervisor_pid(layout) or starting.poll() is not None)
        until("the fork server forks", lambda: (layout.logs / "identity.log").exists() or starting.poll() is not None)
        starting.send_signal(signal.SIGINT)
        assert starting.wait(60) == 130
    until("all of it is gone", lambda: not living_in(folder))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, writes /dev/full")
def test_log_that_cannot_be_written__the_stack_comes_up_and_nothing_is_left(folder):
    """On a full disk a failed start left Kafka: what the log could not take ended the stopping."""
    layout = Layout(folder)
    words = [sys.executable, "-m", "booking_local.stack.supervisor", str(folder), "--without-services"]
    with Path("/dev/full").open("w") as full, subprocess.Popen(words, stdout=full, stderr=full) as stack:
        until("ready", lambda: control.progress(layout).get("phase") == "ready" or stack.poll() is not None)
        assert stack.poll() is None
        stack.send_signal(signal.SIGTERM)
        assert stack.wait(60) == 0
    assert living_in(folder) == []
    assert not layout.endpoints.exists()


def test_server_dead_or_frozen__status_says_so_in_time_and_again_when_it_is_back(folder):
    """With Kafka gone `status` was green and its row had vanished."""
    endpoints = up(folder)
    state = ["--state", str(folder)]
    assert booking("status", *state).returncode == 0
    for name in ("kafka", "postgres"):
        os.kill(pid_of(endpoints, name), signal.SIGSTOP)
        try:
            began = time.monotonic()
            done = booking("status", "--json", *state)
            assert time.monotonic() - began < 30  # it waits some 3 s for an answer; the rest is the machine's
        finally:
            os.kill(pid_of(endpoints, name), signal.SIGCONT)
        rows = {row["name"]: row for row in json.loads(done.stdout)["processes"]}
        assert (done.returncode, rows[name]["ready"]) == (1, False)
        until("ready again", lambda: booking("status", *state).returncode == 0)
    (folder / "kafka" / "java.options").rename(folder / "kafka" / "java.hidden")  # it can't come up again
    (folder / "kafka" / "java.options").mkdir()
    os.kill(pid_of(endpoints, "kafka"), signal.SIGKILL)
    done = until("its end is told", lambda: (done := booking("status", *state)).returncode == 1 and done)
    (row,) = [line for line in done.stdout.splitlines() if "kafka" in line and "stack" not in line]
    assert row.split()[-1] in ("dead", "ready")
    (folder / "kafka" / "java.options").rmdir()
    until("ready again", lambda: booking("status", *state).returncode == 0)


def test_topic_missing__audit_says_so_in_one_sentence(folder):
    """Hundreds of lines and a traceback."""
    endpoints = up(folder)

    async def delete():
        admin = AIOKafkaAdminClient(bootstrap_servers=endpoints["kafka"])
        async with connected(admin):
            await admin.delete_topics([TOPIC])

    asyncio.run(delete())
    done = until("it is missing", lambda: (done := booking("audit", "--state", str(folder))).stderr and done)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [done.stderr.strip()]
    assert f"Kafka lacks {TOPIC}" in done.stderr


def test_looking_whether_one_is_up__does_not_keep_another_from_starting(folder):
    """`status` at the same instant made `up` say that one is at work."""
    layout = Layout(folder)
    layout.make()
    layout.lock.touch()
    with layout.lock.open("r") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        release = threading.Timer(0.3, lambda: fcntl.flock(looking, fcntl.LOCK_UN))
        release.start()
        held = supervisor._hold(layout)
        release.join()
    assert held is not None
    held.close()


def test_endpoints__are_nobody_elses_at_any_moment(folder):
    """The file had passwords before it had its mode."""
    up(folder)
    assert stat.S_IMODE((folder / "endpoints.json").stat().st_mode) == 0o600
    assert not list(folder.glob("*.new"))


def test_folder_that_is_a_file__one_sentence_exit_1(tmp_path):
    (tmp_path / "file").touch()
    done = booking("up", "--detach", "--state", str(tmp_path / "file" / "state"))
    assert done.returncode == 1
    assert "--state" in done.stderr


def _connects(url):
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_disk_full__one_sentence_says_what_to_do(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", small], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        done = booking("up", "--detach", "--state", str(small / "state"))
    finally:
        subprocess.run(["umount", "-l", small], check=True)
    assert done.returncode == 1
    assert "The disk" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
