"""Toxiproxy: built once where Go is found, run beside a stack, told over HTTP what to do to the bytes that pass.

It does not outlive the rig: the kernel ends it when its parent ends, however that ends.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2

from booking_local.layout import tools_folder
from booking_local.servers.ports import free_port
from booking_local.servers.process import Command, spawn, stop

VERSION = "2.12.0"  # `go install ...@latest` gives 2.5.0
_SOURCE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
_BUILD_SECONDS = 600.0
_CALL_SECONDS = 5.0


class Unavailable(Exception):
    """Why this machine has no toxiproxy."""


@dataclass(frozen=True)
class Toxic:
    """One thing done to the bytes of a proxy: `upstream` are those to the server, `downstream` those back."""

    type: str
    stream: Literal["upstream", "downstream"]
    attributes: Mapping[str, int]


def program() -> Path:
    """Toxiproxy's server: the one that `BOOKING_TOXIPROXY` names, else one that is built once. Raises Unavailable."""
    if os.environ.get("BOOKING_TOXIPROXY"):
        return Path(os.environ["BOOKING_TOXIPROXY"])
    built = tools_folder() / f"toxiproxy-{VERSION}" / "server"
    if not built.exists():
        _build(built)
    return built


def _build(wanted: Path) -> None:
    """Everything that Go fetches goes into a folder that is removed again; the program alone is kept."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise Unavailable("toxiproxy: no Go on this machine to build it with")
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="go-", dir=wanted.parent) as folder:
        places = {"GOPATH": folder, "GOBIN": f"{folder}/bin", "GOCACHE": f"{folder}/cache", "GOFLAGS": "-modcacherw"}
        try:
            done = subprocess.run(
                [go, "install", _SOURCE],
                env={**os.environ, **places},
                capture_output=True,
                text=True,
                timeout=_BUILD_SECONDS,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            raise Unavailable(f"toxiproxy: go install: {type(error).__name__}") from error
        if done.returncode != 0:
            raise Unavailable(f"toxiproxy: go install: {done.stderr.strip()[-300:]}")
        Path(folder, "bin", "server").replace(wanted)


class Toxiproxy:
    """A running toxiproxy with its proxies (name: port to listen on, port to lead to; all of 127.0.0.1)."""

    def __init__(self, proxies: Mapping[str, tuple[int, int]], log: Path) -> None:
        self._proxies, self._program, self._log = proxies, program(), log
        self._start()

    def _start(self) -> None:
        taken = {port for pair in self._proxies.values() for port in pair}
        port = free_port(but_not=taken)
        words = [str(self._program), "-host", "127.0.0.1", "-port", str(port)]
        self._command = Command("toxiproxy", words, self._log, env={"LOG_LEVEL": "info"})
        self._process = spawn(self._command, die_with_parent=True)
        self._api = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while not answers(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Unavailable(f"toxiproxy did not start (see {self._log.name})")
            time.sleep(0.02)
        with httpx2.Client(base_url=self._api, timeout=_CALL_SECONDS, trust_env=False) as http:
            for name, (listen, to) in self._proxies.items():
                wanted = {"name": name, "listen": f"127.0.0.1:{listen}", "upstream": f"127.0.0.1:{to}"}
                http.post("/proxies", json=wanted).raise_for_status()

    async def poison(self, proxy: str, toxics: Mapping[str, Toxic]) -> None:
        """Put these toxics on. Raises httpx2.HTTPError."""
        async with self._http() as http:
            for name, toxic in toxics.items():
                body: dict[str, Any] = {"name": name, "type": toxic.type, "stream": toxic.stream}
                body["attributes"] = dict(toxic.attributes)
                (await http.post(f"/proxies/{proxy}/toxics", json=body)).raise_for_status()

    async def cure(self) -> None:
        """Every byte passes again. A toxiproxy that is stuck itself is replaced, which cuts all it leads."""
        try:
            async with self._http() as http:
                (await http.post("/reset")).raise_for_status()
        except httpx2.HTTPError:
            self.stop()
            self._start()

    def stop(self) -> None:
        stop(self._process, self._command)

    def _http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self._api, timeout=_CALL_SECONDS, trust_env=False)


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def running(proxies: Mapping[str, tuple[int, int]], log: Path) -> Iterator[Toxiproxy]:
    """Toxiproxy for the time of a run. Raises Unavailable."""
    started = Toxiproxy(proxies, log)
    try:
        yield started
    finally:
        started.stop()
