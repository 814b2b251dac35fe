"""What the supervisor tells: where everything is, and in one sentence what went wrong."""

import errno
from typing import Any

from booking_local.failure import DISK_FULL, Failure
from booking_local.servers.process import NO_SPACE
from booking_local.stack import programs
from booking_local.stack import secrets as secret_store
from booking_local.stack.layout import Layout


def endpoints(stack: programs.Stack, running: dict[str, int], wanted: list[str]) -> dict[str, Any]:
    """endpoints.json as api.md describes it: `processes` are those that live, `programs` those that should."""
    names = ("checkout", "consultation", "notifier", "calendar", "mailbox", "whatsapp", "payments", "identity")
    return {
        "postgres": {name: stack.database_url(name, "owner") for name in secret_store.DATABASES},
        "kafka": stack.kafka,
        **{name: stack.url(name) for name in names},
        "smtp": f"127.0.0.1:{stack.ports['smtp']}",
        "processes": [{"name": name, "pid": pid} for name, pid in running.items()],
        "programs": wanted,
        "development": {
            "midtrans_server_key": stack.secrets.midtrans_server_key,
            "manual_secret": stack.secrets.manual_secret,
        },
    }


def sentence(broken: BaseException, layout: Layout) -> str:
    """What went wrong, for a person: the first cause of a group, a full disk by name."""
    while isinstance(broken, BaseExceptionGroup):
        named = [one for one in broken.exceptions if isinstance(one, Failure)]
        broken = named[0] if named else broken.exceptions[0]
    full = isinstance(broken, OSError) and broken.errno in (errno.ENOSPC, errno.EDQUOT)
    full = full or getattr(broken, "sqlstate", None) == "53100"  # PostgreSQL's DiskFull, which has several wordings
    if full or NO_SPACE in str(broken):  # PostgreSQL and Kafka say it in their own words
        return DISK_FULL.format(folder=layout.folder)
    if isinstance(broken, Failure):
        return str(broken)
    return f"{type(broken).__name__}: {broken} (see {layout.log_of('supervisor')})"
