"""Which port each process listens on: from --port-base on in a fixed order, else free ones, as last time if free."""

import json

from booking_local.failure import Failure
from booking_local.servers.ports import free_port, is_free
from booking_local.stack.layout import Layout

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
)

_LOWEST = 1024


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
    half = layout.ports.with_suffix(".new")
    half.write_text(json.dumps(chosen, indent=1), "utf-8")
    half.replace(layout.ports)
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
