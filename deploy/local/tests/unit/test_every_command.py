"""Each command of `booking` on a folder that isn't a stack, on one that is down, half-dead or another's: a sentence
that tells what to do, exit code 1, nothing made, never a traceback."""

import fcntl
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import uuid
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer.main

from booking_local.cli import COMMANDS, OPERATOR, app, main
from booking_local.commands import operator
from booking_local.layout import Layout
from booking_local.servers.ports import choose, free_port
from booking_local.stack import programs, secrets
from booking_local.stack.control import Progress

STARTING = {("up",), ("demo",), ("bench",), ("docs",), ("gameday",)}
"""They start what is missing, or have no stack at all."""

ARGUMENTS = {
    ("token",): ["--role", "member"],
    ("events", "show"): [str(uuid.uuid4())],
    ("events", "tail"): ["--no-follow"],
    ("erase",): [str(uuid.uuid4()), "--yes"],
    ("held",): ["list"],
    ("topics",): ["compare"],
    ("access",): ["compare"],
    ("rebuild",): ["ranking"],
    ("restore",): ["recover", "checkout", "--report", "/dev/null/report", "--yes"],
    ("seed",): ["--practitioners", "1", "--members", "1", "--sessions", "1"],
}


def every_command():
    root: Any = typer.main.get_command(app)
    found = []
    for name in COMMANDS:
        command = root.get_command(None, name)
        inner = getattr(command, "commands", None)
        found += [(name, one) for one in inner] if inner else [(name,)]
    return sorted(set(found) - STARTING)


@pytest.fixture
def closed(tmp_path):
    """A folder whose stack says that it is up, and nothing of it answers: everything died with the machine."""
    layout = Layout(tmp_path / "state")
    layout.make()
    chosen = {name: free_port() for name in choose(layout, None)}
    layout.ports.write_text(json.dumps(chosen))
    at = f"127.0.0.1:{chosen['postgres']}"
    stack = programs.Stack(layout, secrets.load_or_make(layout), chosen, at, f"127.0.0.1:{chosen['kafka']}")
    layout.endpoints.write_text(json.dumps(programs.endpoints(stack, {}, ["postgres", "kafka", "checkout-all"])))
    return layout


def said(command, state, capfd):
    """Exit code and words of a command."""
    try:
        code = main([*command, *ARGUMENTS.get(command, []), "--state", str(state)])
    except SystemExit as ended:
        code = ended.code
    out, err = capfd.readouterr()
    return code, out, err


def check(code, out, err, lines=1, expected=1):
    assert code == expected, (out, err)
    assert "Traceback" not in out + err
    assert len((err or out).strip().splitlines()) <= lines, err
    assert (err or out).strip().endswith((".", ")", "?", "down")), err


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_folder_that_is_not_there__a_sentence_and_nothing_made(command, tmp_path, capfd):
    """`token --state WRONG` made a folder and a token that nobody accepts, with exit code 0."""
    wrong = tmp_path / "wrong"
    check(*said(command, wrong, capfd))
    assert not wrong.exists()


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_folder_that_is_a_file__a_sentence(command, tmp_path, capfd):
    (tmp_path / "file").touch()
    check(*said(command, tmp_path / "file", capfd))


@pytest.mark.parametrize("command", sorted(set(every_command()) - {("token",), ("down",)}), ids=" ".join)
def test_stack_that_is_down__a_sentence(command, closed, capfd):
    closed.endpoints.unlink()
    check(*said(command, closed.folder, capfd))


ASK_NOBODY = {("token",), ("env",), ("down",), ("status",)}


@pytest.mark.parametrize("command", sorted(set(every_command()) - ASK_NOBODY), ids=" ".join)
def test_stack_whose_servers_are_dead__a_sentence(command, closed, capfd):
    """Tracebacks of `seed` and `audit`. A program that is passed on to says apart what differs and what is away."""
    check(*said(command, closed.folder, capfd), expected=2 if command[0] in OPERATOR else 1)


def test_operator__is_told_the_zone_that_the_stack_s_services_have(closed):
    """They had it of the folder's file, and the audit counted the ranking's months by the default."""
    own = closed.settings_of("checkout")
    own.parent.mkdir()
    own.write_text("PLATFORM_TIMEZONE=America/New_York\n")
    told = json.loads(closed.endpoints.read_text())
    assert "PLATFORM_TIMEZONE" not in operator.settings(closed, "audit"), "those that run were started without it"
    closed.endpoints.write_text(json.dumps({**told, "settings": programs.operators_settings(closed)}))
    assert operator.settings(closed, "audit")["PLATFORM_TIMEZONE"] == "America/New_York"


def test_operator__is_told_how_many_brokers_the_stack_has(closed, monkeypatch):
    """`booking topics create` asked for three replicas of one broker."""
    monkeypatch.delenv("TOPIC_REPLICATION", raising=False)
    assert operator.settings(closed, "topics")["TOPIC_REPLICATION"] == "1"
    monkeypatch.setenv("TOPIC_REPLICATION", "2")
    assert operator.settings(closed, "topics")["TOPIC_REPLICATION"] == "2", "brokers of one's own"


def test_status_of_dead_servers__keeps_their_rows_and_marks_them(closed, capfd):
    """With Kafka gone its row vanished, and the rest was ready."""
    code, out, _ = said(("status",), closed.folder, capfd)
    assert code == 1
    for name in ("postgres", "kafka", "checkout-all"):
        (row,) = [line for line in out.splitlines() if name in line]
        assert row.split()[1:] == ["-", "dead"]


def test_stack_that_was_ready_and_has_a_dead_server__is_not_called_ready(closed, capfd):
    """The first line said "ready" above the rows of the dead, for whoever reads no further."""
    with closed.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        Progress("ready").write(closed)
        code, out, _ = said(("status",), closed.folder, capfd)
        assert (code, out.splitlines()[0]) == (1, f"The stack in {closed.folder}: not ready")
        code, out, _ = said(("status", "--json"), closed.folder, capfd)
        assert (code, json.loads(out)["phase"]) == (1, "not ready")


def test_stack_that_is_up_in_plain_text__is_not_called_secure(closed, capfd):
    with closed.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        Progress("ready").write(closed)
        code, out, err = said(("up", "--secure", "--detach"), closed.folder, capfd)
        assert (code, out, "up without --secure" in err) == (1, "", True)
        assert said(("up", "--detach"), closed.folder, capfd)[0] in (0, None)


INTERRUPTED = """
import runpy, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "booking_local.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
runpy.run_module("booking_local", run_name="__main__")
"""


def test_ctrl_c_while_the_program_is_still_loading__ends_without_a_word():
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_unreadable_endpoints__a_sentence(closed, capfd):
    closed.endpoints.write_text("{")
    code, out, err = said(("audit",), closed.folder, capfd)
    check(code, out, err)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("command", [("up",), ("down",), ("status",), ("token",), ("audit",), ("seed",)], ids=" ".join)
def test_another_users_stack__a_sentence_and_nothing_changed(command, closed, capfd):
    """`down` by another user ended in a traceback."""
    for module in (*COMMANDS.values(), "booking_proof.seed.command", "psycopg", "rich.progress"):
        import_module(module)  # another user may not even enter the folder that this Python is in
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as place:
        shutil.move(closed.folder, f"{place}/state")
        theirs = Layout(Path(place) / "state")
        for path in (Path(place), theirs.folder):
            path.chmod(0o755)
        theirs.endpoints.chmod(0o600)
        before = sorted(theirs.folder.rglob("*"))
        os.seteuid(nobody.pw_uid)
        try:
            code, out, err = said(command, theirs.folder, capfd)
        finally:
            os.seteuid(0)
        check(code, out, err)
        assert "belongs to root" in err or "folder's owner" in err
        assert sorted(theirs.folder.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_up_by_root_on_a_users_stack__refused(closed, capfd):
    """It left files that the owner could not use."""
    nobody = pwd.getpwnam("nobody")
    os.chown(closed.folder, nobody.pw_uid, nobody.pw_gid)
    closed.endpoints.unlink()
    code, out, err = said(("up",), closed.folder, capfd)
    check(code, out, err)
    assert "belongs to nobody" in err


@pytest.mark.parametrize("base", ["80", "0", "-5", "65530", "70000"])
def test_port_base_that_cannot_be__refused_and_not_remembered(base, tmp_path, capfd):
    """`--port-base 80` broke every later `up`."""
    state = tmp_path / "state"
    code = main(["up", "--detach", "--port-base", base, "--state", str(state)])
    _, err = capfd.readouterr()
    check(code, "", err)
    assert "--port-base" in err
    assert not (state / "ports.json").exists()
    assert not (state / "endpoints.json").exists()


def test_env__is_what_a_shell_takes_and_names_no_server_of_the_stack(closed, capfd):
    """BOOKING_POSTGRES_URL would make the next stack of that shell use this one's database."""
    code, out, _ = said(("env",), closed.folder, capfd)
    assert code == 0
    shell = subprocess.run(["bash", "-c", f"{out}\nenv"], env={}, capture_output=True, text=True, check=True)
    known = dict(line.split("=", 1) for line in shell.stdout.splitlines() if line.startswith("BOOKING_"))
    assert known == json.loads(said(("env", "--json"), closed.folder, capfd)[1])
    assert known["BOOKING_CHECKOUT"] == json.loads(closed.endpoints.read_text())["checkout"]
    assert known["BOOKING_CLIENT_SECRET"] == secrets.load(closed).client_secret
    assert all(uuid.UUID(value) for name, value in known.items() if name.endswith("_ID") and "CLIENT" not in name)
    assert not {name for name in known if name in ("BOOKING_STATE", "BOOKING_POSTGRES_URL", "BOOKING_KAFKA_BOOTSTRAP")}


def test_access__comes_to_each_database_as_who_makes_roles(closed, monkeypatch):
    monkeypatch.delenv("BOOKING_POSTGRES_URL", raising=False)
    known = json.loads(closed.endpoints.read_text())["postgres"]
    ours = operator.settings(closed, "access")["CHECKOUT_DATABASE_URL"]
    assert ours.startswith("postgresql://postgres:")
    assert ours.rpartition("@")[2] == known["checkout"].rpartition("@")[2]
    monkeypatch.setenv("BOOKING_POSTGRES_URL", "postgresql://root:word@elsewhere:5432/postgres")
    assert (
        operator.settings(closed, "access")["NOTIFIER_DATABASE_URL"] == "postgresql://root:word@elsewhere:5432/notifier"
    )
    assert operator.settings(closed, "audit")["NOTIFIER_DATABASE_URL"] == known["notifier"]
