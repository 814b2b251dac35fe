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

from booking_local import complaints
from booking_local.failure import Failure

COMMANDS: dict[str, str] = {
    "up": "booking_local.commands.up",
    "down": "booking_local.commands.down",
    "status": "booking_local.commands.status",
    "logs": "booking_local.commands.logs",
    "demo": "booking_local.commands.demo",
    "token": "booking_local.commands.token",
    "seed": "booking_local.commands.seed",
    "events": "booking_local.commands.events",
    "calendar": "booking_local.commands.calendar",
    "ranking": "booking_local.commands.ranking",
    "projections": "booking_local.commands.projections",
    "dead-letters": "booking_local.commands.dead_letters",
    "republish": "booking_local.commands.republish",
    "audit": "booking_local.commands.audit",
    "erase": "booking_local.commands.erase",
    "bench": "booking_local.commands.bench",
}
"""Name and module; the module's `app` is a Typer of one command, or of a group of them."""


class Commands(TyperGroup):
    """Imports a command's module when the command is used or described."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Those whose module is installed, in the order of the table."""
        return [name for name, module in COMMANDS.items() if find_spec(module) is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command, or None when there is none of that name."""
        module = COMMANDS.get(cmd_name)
        if module is None or find_spec(module) is None:
            return None
        command = typer.main.get_command(importlib.import_module(module).app)
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
        print(complaints.sentence(refused), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as broken:
        if os.environ.get("BOOKING_TRACEBACK"):
            raise
        print(complaints.sentence(broken), file=sys.stderr)
        return 1
