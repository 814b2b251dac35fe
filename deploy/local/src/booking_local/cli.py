"""The `booking` command: a table of commands, each in a module that is imported only when it is asked for.

Exit codes: 0 done, 1 a sentence on stderr says what to do, 2 the command was misspelt, 130 interrupted.
"""

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from booking_local.failure import Failure, sentence

COMMANDS: dict[str, str] = {
    "up": "booking_local.commands.stack",
    "down": "booking_local.commands.stack",
    "status": "booking_local.commands.stack",
    "logs": "booking_local.commands.stack",
    "demo": "booking_proof.commands",
    "token": "booking_local.commands.stack",
    "env": "booking_proof.commands",
    "seed": "booking_proof.seed.command",
    "events": "booking_local.commands.events",
    "webhooks": "booking_local.commands.webhooks",
    "calendar": "booking_local.commands.operator",
    "ranking": "booking_local.commands.operator",
    "projections": "booking_local.commands.operator",
    "dead-letters": "booking_local.commands.operator",
    "republish": "booking_local.commands.operator",
    "counts": "booking_local.commands.operator",
    "audit": "booking_proof.audit.command",
    "erase": "booking_local.commands.operator",
    "docs": "booking_proof.docs",
    "bench": "booking_proof.commands",
}
"""Name and module. There the command is what has its name: a function, or a Typer of several commands."""


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
        found = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        if not isinstance(found, typer.Typer):
            alone = typer.Typer()
            alone.command()(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def booking(
    state: Annotated[Path | None, typer.Option(help="The stack's folder, for any command.")] = None,
) -> None:
    """The booking system on this machine: start it, watch it, play it, prove it."""
    if state is not None:
        os.environ["BOOKING_STATE"] = str(state.absolute())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and answers its exit code."""
    command = typer.main.get_command(app)
    # Clients complain line by line about a server that is away; a command says it once.
    for noisy in ("aiokafka", "asyncio", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL + 1)
    try:
        return command.main(list(arguments) if arguments is not None else None, "booking", standalone_mode=True) or 0
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `booking events tail | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as refused:
        print(sentence(refused), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as broken:
        if os.environ.get("BOOKING_TRACEBACK"):
            raise
        print(sentence(broken), file=sys.stderr)
        return 1
