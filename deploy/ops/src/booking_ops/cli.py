"""The `booking-ops` command: a table of commands, each in a module that is imported only when it is asked for.

Exit codes: 0 good, 1 something differs or was refused, 2 misused or a server can't be used, 130 interrupted.
"""

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup

from booking_ops.failure import UNUSABLE, said

COMMANDS: dict[str, str] = {
    "audit": "booking_ops.audit.command",
    "serve": "booking_ops.audit.serving",
    "held": "booking_ops.held",
    "republish": "booking_ops.republish",
    "counts": "booking_ops.counts",
    "topics": "booking_ops.topics",
    "access": "booking_ops.access.command",
    "rebuild": "booking_ops.rebuild",
    "projections": "booking_ops.rebuild",
    "erase": "booking_ops.erase",
    "restore": "booking_ops.restore.command",
    "gameday": "booking_proof.gameday.command",
}
"""Name and module. There the command is what has its name: a function, or a Typer of several commands. The game day
needs a machine, not addresses: it is found by its name where booking-proof is installed (ADR 22)."""


_CONNECT_SECONDS = "15"
"""After which a PostgreSQL that takes connections and says nothing is away; by itself psycopg waits for two minutes."""


class Commands(TyperGroup):
    """Imports a command's module when the command is used or described."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Those whose package is installed, in the order of the table."""
        del ctx
        return [name for name, module in COMMANDS.items() if find_spec(module.partition(".")[0]) is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or None when there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer()
            alone.command()(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def booking_ops() -> None:
    """Operate a deployment of the booking system: prove it, mend it, bring it back.

    Addresses and the token come from the environment or from files in SECRETS_DIR (docs/api.md). Exit codes: 0 good,
    1 something differs or was refused, 2 misused or a server can't be used.
    """


def main(arguments: Sequence[str] | None = None, name: str = "booking-ops") -> int:
    """Runs one command and answers its exit code."""
    command = typer.main.get_command(app)
    # Clients complain line by line about a server that is away; a command says it once.
    for noisy in ("aiokafka", "asyncio", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL + 1)
    os.environ.setdefault("PGCONNECT_TIMEOUT", _CONNECT_SECONDS)
    try:
        return command.main(list(arguments) if arguments is not None else None, name, standalone_mode=True) or 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else UNUSABLE if ended.code else 0
    except BrokenPipeError:  # `booking-ops held list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as broken:
        if os.environ.get("BOOKING_TRACEBACK"):
            raise
        sentence, code = said(broken)
        print(sentence, file=sys.stderr)
        return code


def entry() -> None:
    """The console script."""
    sys.exit(main())
