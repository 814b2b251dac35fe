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

OPERATOR: dict[str, str] = {
    "audit": "Prove that nothing is lost and nobody double-booked:",
    "held": "Records that could not be applied: list, show, replay, discard:",
    "republish": "Publish again, a key, a time range or everything:",
    "counts": "What the owners hold of each topic, by the last hex digit of the key:",
    "topics": "The catalogue's topics on the broker: create, compare, repair:",
    "access": "Who may do what at the broker and in the databases: show, compare, apply, passwords:",
    "rebuild": "Read models, built anew from the log (calendar, ranking):",
    "projections": "How far each projection is behind, and its rebuild:",
    "restore": "A store that was restored from before its topics, brought back:",
    "erase": "Delete a person's contact data and free text everywhere (E4):",
}
"""The commands of `booking-ops` that are commands of `booking` too, given this stack's addresses."""

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
    **dict.fromkeys(OPERATOR, "booking_local.commands.operator"),
    "docs": "booking_proof.docs",
    "bench": "booking_proof.commands",
    "gameday": "booking_proof.gameday.command",
}
"""Name and module. There the command is what has its name: a function, or a Typer of several commands; all that are
`booking-ops`'s go there by one."""
_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


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
        passed_on = cmd_name in OPERATOR
        found = getattr(
            importlib.import_module(COMMANDS[cmd_name]), "operate" if passed_on else cmd_name.replace("-", "_")
        )
        if not isinstance(found, typer.Typer):
            alone = typer.Typer()
            help_ = f"{OPERATOR[cmd_name]} `booking-ops {cmd_name}` on this stack." if passed_on else None
            alone.command(help=help_, context_settings=_PASSED_ON if passed_on else None)(found)
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
