"""`booking up`, with the real servers and stand-ins, on folders of its own. The services have tests/e2e."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from deploy.local.tests.command import booking

from booking_local.stack import control, pids
from booking_local.stack.layout import Layout

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
    async with AIOKafkaProducer(bootstrap_servers=endpoints["kafka"], acks="all") as producer:
        await producer.send_and_wait(TOPIC, b"{}", partition=0)


async def read(endpoints):
    with psycopg.connect(endpoints["postgres"]["checkout"]) as owner:
        rows = owner.execute("SELECT id FROM kept").fetchall()
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=endpoints["kafka"], auto_offset_reset="earliest")
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), 30)
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
    os.kill(control.supervisor_pid(Layout(folder)), signal.SIGKILL)
    left = pids.leftovers(Layout(folder))
    assert pid_of(endpoints, "kafka") in left
    assert await read(up(folder)) == ([(7,)], b"{}")
    assert all(pids.birth(pid) is None for pid in left)


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
        assert pids.leftovers(Layout(folder)) == []
        assert all(pids.birth(one["pid"]) for one in theirs["processes"])
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
    assert pids.leftovers(Layout(folder)) == []


def test_broken_java__one_sentence_exit_1_nothing_left(folder):
    done = booking("up", "--detach", "--no-services", "--state", str(folder), BOOKING_JAVA="/bin/false")
    assert done.returncode == 1
    assert "Kafka doesn't start" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert pids.leftovers(Layout(folder)) == []


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
