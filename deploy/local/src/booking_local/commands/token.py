"""`booking token`."""

import uuid
from typing import Annotated

import typer

from booking_local.commands import State, layout_of
from booking_local.failure import Failure
from booking_local.stack import secrets, tokens

app = typer.Typer()
ROLES = ("member", "practitioner", "admin", "service")


@app.command()
def token(  # noqa: PLR0917  (one option each)
    role: Annotated[list[str], typer.Option(help="member, practitioner, admin or service; may be repeated.")],
    sub: Annotated[uuid.UUID | None, typer.Option(help="Whose token [default: somebody new].")] = None,
    name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    email: Annotated[str | None, typer.Option(help="Their email address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Their phone number, as +62...")] = None,
    locale: Annotated[str | None, typer.Option(help="Their language, such as id or en.")] = None,
    zoneinfo: Annotated[str | None, typer.Option(help="Their time zone, such as Asia/Jakarta.")] = None,
    expires_in: Annotated[int, typer.Option(help="Seconds it is good for; negative: expired already.")] = 12 * 3600,
    state: State = None,
) -> None:
    """Print a token for development, signed by this stack's own key: the token and nothing else."""
    unknown = [one for one in role if one not in ROLES]
    if unknown:
        raise Failure(f"There is no role {unknown[0]}: it is one of {', '.join(ROLES)}.")
    claims = {"name": name, "email": email, "phone_number": phone, "locale": locale, "zoneinfo": zoneinfo}
    made = secrets.load(layout_of(state))
    print(tokens.sign(made, roles=role, sub=str(sub or uuid.uuid4()), seconds=expires_in, **claims))
