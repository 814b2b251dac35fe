"""A stand-in as a real process for the length of a test."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx2

from booking_local.servers.ports import free_port


class Standin:
    """Its HTTP address and a client of it; `kill()` and `start()` for what must survive a restart."""

    def __init__(self, name, folder, settings):
        self.port = free_port()
        self.smtp_port = free_port(but_not={self.port})
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx2.Client(base_url=self.url, timeout=10, trust_env=False)
        self._command = [sys.executable, "-m", f"booking_standins.{name}"]
        own = {"HTTP_PORT": str(self.port), "SMTP_PORT": str(self.smtp_port), "STATE_FOLDER": str(folder)}
        self._environment = {**os.environ, **own, **settings}
        self._process = None

    def start(self):
        self._process = subprocess.Popen(self._command, env=self._environment)
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx2.TransportError:
                assert time.monotonic() < deadline, "the stand-in didn't start"
                assert self._process.poll() is None, "the stand-in ended"
                time.sleep(0.02)

    def kill(self):
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@contextmanager
def standin(name, folder, **settings):
    made = Standin(name, folder, settings)
    made.start()
    try:
        yield made
    finally:
        made.kill()
        made.http.close()


def until(look, seconds=60.0):
    """The first truthy answer."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "didn't happen in time"
        time.sleep(0.02)
    return found
