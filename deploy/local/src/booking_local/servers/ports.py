"""TCP ports of 127.0.0.1: which are free, and which each process of a stack listens on.

With --port-base from there on in a fixed order, else free ones, as last time if free. They are taken from below the
range that the kernel gives to outgoing connections, so that a restarted server doesn't find its port used by somebody's
connection.
"""

import json
import secrets
import socket

from booking_local.failure import Failure
from booking_local.layout import Layout, replace

NAMES = (
    "checkout",
    "consultation",
    "notifier",
    "calendar",
    "mailbox",
    "smtp",
    "whatsapp",
    "payments",
    "identity",
    "postgres",
    "kafka",
    "kafka-controller",
    "checkout-worker",
    "consultation-worker",
    "notifier-worker",
    "calendar-worker",
    "gateway",
    "kafka-admin",
    "observe",
)
_LOWEST = 1024
_FIRST, _LAST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(*, but_not: frozenset[int] | set[int] = frozenset()) -> int:
    """A port that nobody listens on, chosen at random so that two stacks rarely meet."""
    for _ in range(1000):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if port not in but_not and is_free(port):
            return port
    raise OSError("no free TCP port between 20000 and 32000 on 127.0.0.1")


def choose(layout: Layout, base: int | None) -> dict[str, int]:
    """A port for every name, kept in the folder. Raises Failure when one that --port-base asks for is taken."""
    if base is not None:
        chosen = _from_base(base)
    else:
        kept = _kept(layout)
        chosen = {}
        for name in NAMES:
            port = kept.get(name)
            if not isinstance(port, int) or port < _LOWEST or port in chosen.values() or not is_free(port):
                port = free_port(but_not={*chosen.values(), *kept.values()})
            chosen[name] = port
    replace(layout.ports, json.dumps(chosen, indent=1))
    return chosen


def _kept(layout: Layout) -> dict[str, int]:
    try:
        return json.loads(layout.ports.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _from_base(base: int) -> dict[str, int]:
    if not _LOWEST <= base <= 65535 - len(NAMES):
        raise Failure(
            f"--port-base {base} can't be: it is {_LOWEST} or higher (lower ports are the system's), and {len(NAMES)} "
            "ports follow it, the last at most 65535."
        )
    chosen = {name: base + offset for offset, name in enumerate(NAMES)}
    for name, port in chosen.items():
        if not is_free(port):
            raise Failure(
                f"Port {port} (for {name}) is in use by another program: end it, or give another --port-base, "
                f"with {len(NAMES)} free ports from there on."
            )
    return chosen
