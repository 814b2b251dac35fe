"""Starts Python processes in a tenth of the time: libraries are imported once, then each process is forked from here.

A program of its own, with one thread, so that forking is safe. What it forks is an orphan at once and becomes a
child of the supervisor (a subreaper), which waits for it as for any other. One that dies later is started the ordinary
way, so the nursery ends when the stack is up. Linux only; anywhere else, and whenever anything goes wrong here, the
supervisor starts processes the ordinary way.

    python -m booking_local.stack.nursery FD [MODULE...]     requests and answers are JSON lines on that socket
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
from typing import Any

LIBRARIES = (
    "booking_web.application",
    "booking_process.server",
    "booking_web.program",
    "booking_inbox",
    "booking_inbox.api",
    "booking_outbox",
    "booking_contracts.topics",
    "booking_contracts.decode",
    "booking_people",
    "booking_store",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.loops.uvloop",
)
"""Shared ones only: a service's own modules would leave its metrics in everybody's registry."""

PR_SET_NAME = 15


def main() -> None:
    """Answers requests until the supervisor hangs up; in a forked process, runs what was asked for."""
    with socket.socket(fileno=int(sys.argv[1])) as line:
        for library in (*LIBRARIES, *sys.argv[2:]):
            with contextlib.suppress(ImportError):
                importlib.import_module(library)
        gc.collect()
        gc.freeze()
        wish = _serve(line)
    if wish is not None:
        _become(wish)


def _serve(line: socket.socket) -> dict[str, Any] | None:
    """Forks per request. Returns None here at the end, and the request in a forked process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with line.makefile("r", encoding="utf-8") as requests:
        for request in requests:
            wish: dict[str, Any] = json.loads(request)
            reading, writing = os.pipe()
            middle = os.fork()
            if middle == 0:
                pid = os.fork()
                if pid == 0:
                    os.close(reading)
                    os.close(writing)
                    return wish
                os.write(writing, str(pid).encode())
                os._exit(0)
            os.close(writing)
            os.waitpid(middle, 0)
            pid = int(os.read(reading, 32) or b"0")
            os.close(reading)
            line.sendall(json.dumps({"pid": pid}).encode() + b"\n")
    return None


def _become(wish: dict[str, Any]) -> None:
    """As if it had been started from a shell: its own session, environment, folder, log and name."""
    os.setsid()
    log = os.open(wish["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(wish["env"])
    time.tzset()
    os.chdir(wish["cwd"])
    ctypes.CDLL(None).prctl(PR_SET_NAME, wish["name"].encode()[:15], 0, 0, 0)
    sys.argv = [wish["module"], *wish["arguments"]]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    runpy.run_module(wish["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
