"""`booking-ops access`: who may do what at the broker and in the databases, from the topic catalogue and from
`privileges.py`: shown, compared, set right; and their passwords, replaced with an overlap.

It comes to the broker as who may Describe and Alter the cluster, and to each database as its owner, or as somebody who
makes roles where a role or a password is to be made.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, cast

import psycopg
import typer
from aiokafka.errors import SecurityDisabled

from booking_contracts import acls
from booking_contracts.access import grants, principals
from booking_contracts.brokers import Mechanism
from booking_ops.access import databases, sessions
from booking_ops.access.databases import Names, Privilege
from booking_ops.access.privileges import TABLES
from booking_ops.access.sessions import Setting
from booking_ops.deployment import SERVICES, Deployment, deployment
from booking_ops.failure import DIFFERENT, GOOD, Failure
from booking_ops.manners import AsJson, Deadline, Yes, done, sure
from booking_process.database import session_settings

BROKER = "kafka"
access = typer.Typer(no_args_is_help=True, help="Who may do what at the broker and in the databases.")
Only = Annotated[
    list[str] | None,
    typer.Option(help=f"Only `{BROKER}`, or one of the databases {', '.join(SERVICES)}; may be repeated [all]."),
]
Others = Annotated[
    bool, typer.Option("--others", help="Take away what somebody who is none of ours may with ours, too.")
]
Analytics = Annotated[
    bool, typer.Option("--analytics", help="Make the databases' analytics roles where they are missing.")
]
Pooled = Annotated[
    bool,
    typer.Option("--pooled", help="And what each role must have set where DATABASE_URL leads through a pooler."),
]
StatementTimeout = Annotated[
    float,
    typer.Option(min=0.001, help="With --pooled: the services' DATABASE_STATEMENT_TIMEOUT_SECONDS."),
]
SecondMechanism = Annotated[str, typer.Option(help="SCRAM-SHA-512 or SCRAM-SHA-256; a user has a password for each.")]
_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256")
_STATEMENT_TIMEOUT = 10.0
"""Seconds, as the services have it by default."""


@dataclass(frozen=True, slots=True)
class Found:
    """How one place differs, by sentences and by what it takes to set it right. `notes` can't be set right here."""

    place: str
    missing: tuple[Any, ...] = ()
    extra: tuple[Any, ...] = ()
    settings: tuple[Setting, ...] = ()
    foreign: tuple[Any, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def differences(self) -> int:
        """How many."""
        return self.ours + len(self.foreign) + len(self.notes)

    @property
    def ours(self) -> int:
        """How many of them are of our own."""
        return len(self.missing) + len(self.extra) + len(self.settings)

    def lines(self) -> list[str]:
        """The diff: + is missing, - is too much, ? is somebody else's, ! is to be looked at."""
        signs = (("+", (*self.missing, *self.settings)), ("-", self.extra), ("?", self.foreign))
        told = [f"{sign} {self.place}: {one.sentence}" for sign, found in signs for one in found]
        return told + [f"! {self.place}: {note}" for note in self.notes]


@access.command()
def show(*, as_json: AsJson = False, statement_timeout: StatementTimeout = _STATEMENT_TIMEOUT) -> None:
    """What should be: each principal's permissions at the broker, each role's in the databases. It asks nobody."""
    brokers = {name: [asdict(one) for one in grants(name)] for name in principals()}
    roles = {
        service: {
            "app": {table: sorted(words) for table, words in told.app.items()},
            "analytics": {table: sorted(withheld) for table, withheld in told.analytics.items()},
        }
        for service, told in TABLES.items()
    }
    if as_json:
        pooled = session_settings(statement_timeout)
        print(json.dumps({"kafka": brokers, "postgres": roles, "pooled": pooled}, indent=1))
        return
    for name in principals():
        for one in grants(name):
            print(acls.Acl.of(one).sentence)
    for service, told in TABLES.items():
        for table, words in sorted(told.app.items()):
            print(f"{service}_app has {', '.join(sorted(words))} on {table}")
        for table, withheld in sorted(told.analytics.items()):
            without = f", but for {', '.join(sorted(withheld))}" if withheld else ""
            print(f"{service}_analytics has SELECT on {table}{without}")
        for name, value in sorted(session_settings(statement_timeout).items()):
            print(f"{Setting(f'{service}_app', name, value).sentence}, where a pooler is used")


@access.command()
def compare(
    *,
    only: Only = None,
    pooled: Pooled = False,
    statement_timeout: StatementTimeout = _STATEMENT_TIMEOUT,
    as_json: AsJson = False,
    deadline: Deadline = 60,
) -> None:
    """Show how it differs. Exit code 0: not at all; 1: it does."""
    places = _places(only)
    where = _set_for(deployment(), places)
    found = done(_found(where, places, statement_timeout if pooled else None), deadline)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=1))
    else:
        _tell(found)
    raise typer.Exit(DIFFERENT if any(one.differences for one in found) else GOOD)


@access.command()
def apply(
    *,
    only: Only = None,
    others: Others = False,
    analytics: Analytics = False,
    pooled: Pooled = False,
    statement_timeout: StatementTimeout = _STATEMENT_TIMEOUT,
    yes: Yes = False,
    deadline: Deadline = 120,
) -> None:
    """Give what is missing, take away what is too much. Exit code 1: something is left, which it says."""
    places = _places(only)
    where = _set_for(deployment(), places)
    if analytics:
        for name in done(_make_analytics(where, places), deadline):
            print(f"made {name}, which has no password yet")
    timeout = statement_timeout if pooled else None
    found = done(_found(where, places, timeout), deadline)
    _tell(found)
    changes = sum(one.ours + (len(one.foreign) if others else 0) for one in found)
    if changes:
        sure(f"Make these {changes} changes?", yes=yes)
    for one in found:
        done(_set_right(where, one, others=others), deadline)
    left = done(_found(where, places, timeout), deadline) if changes else found
    for line in [line for one in left for line in one.lines()]:
        print(f"left: {line}")
    print(f"{changes} changed, {sum(one.differences for one in left)} left")
    raise typer.Exit(DIFFERENT if any(one.differences for one in left) else GOOD)


@access.command()
def password(
    name: Annotated[str, typer.Argument(help="A principal of the broker, or a database's login such as checkout_app.")],
    *,
    mechanism: SecondMechanism = "SCRAM-SHA-512",
    deadline: Deadline = 60,
) -> None:
    """Set a password, which is read from the standard input, beside the one that is used.

    At the broker a user has one for each mechanism; in a database a second login, such as checkout_app_b, has what
    the first may. docs/access.md says how one is replaced so.
    """
    target = _login(name, mechanism)
    where = _set_for(deployment(), [target.place])
    given = sys.stdin.readline().rstrip("\n")
    if len(given) < _SHORTEST:
        raise Failure(
            f"A password comes by the standard input, of {_SHORTEST} characters at least: openssl rand -hex 24"
        )

    async def run() -> None:
        if target.role is None:
            await acls.set_password(where.kafka, name, given, target.mechanism)
            return
        async with await _connected(where, target.place) as conn:
            await databases.set_password(conn, name, target.role, given)

    done(run(), deadline)
    print(f"{name} may log in by it")


@access.command()
def forget(
    name: Annotated[str, typer.Argument(help="As of `password`.")],
    *,
    mechanism: SecondMechanism = "SCRAM-SHA-512",
    yes: Yes = False,
    deadline: Deadline = 60,
) -> None:
    """Take a password away: nobody logs in by it any more; who is connected stays until the connection ends."""
    target = _login(name, mechanism)
    where = _set_for(deployment(), [target.place])
    sure(f"Let nobody log in as {name} by that password any more?", yes=yes)

    async def run() -> None:
        if target.role is None:
            await acls.remove_password(where.kafka, name, target.mechanism)
            return
        async with await _connected(where, target.place) as conn:
            await databases.forget(conn, name)

    done(run(), deadline)
    print(f"nobody logs in as {name} by it any more")


_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class _Login:
    place: str
    role: str | None
    """Of a database; None at the broker."""
    mechanism: Mechanism


def _login(name: str, mechanism: str) -> _Login:
    if mechanism not in _MECHANISMS:
        raise Failure(f"There is no mechanism {mechanism}: it is one of {', '.join(_MECHANISMS)}.")
    chosen = cast("Mechanism", mechanism)
    if name in principals():
        return _Login(BROKER, None, chosen)
    for service in SERVICES:
        if (role := Names(service, service).login(name)) is not None:
            return _Login(service, role, chosen)
    logins = [role for service in SERVICES for role in (Names(service, service).app, Names(service, service).analytics)]
    raise Failure(
        f"There is nobody named {name}: it is one of {', '.join((*principals(), *logins))}, or {logins[0]}_b."
    )


def _places(only: list[str] | None) -> list[str]:
    known = [BROKER, *SERVICES]
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise Failure(f"There is no {unknown[0]}: it is one of {', '.join(known)}.")
    return list(dict.fromkeys(only or known))


def _set_for(where: Deployment, places: list[str]) -> Deployment:
    """The deployment, all of whose addresses are set that it takes: said before anybody is asked."""
    for place in places:
        _ = where.kafka if place == BROKER else where.database(place)
    return where


def _tell(found: list[Found]) -> None:
    for line in [line for one in found for line in one.lines()]:
        print(line)
    print(f"{', '.join(one.place for one in found)}: {sum(one.differences for one in found)} differences")


async def _found(where: Deployment, places: list[str], pooled: float | None) -> list[Found]:
    """`pooled`: the statements' timeout in seconds where a pooler is used."""
    return [await _found_at(where, place, pooled) for place in places]


async def _found_at(where: Deployment, place: str, pooled: float | None) -> Found:
    if place == BROKER:
        try:
            drift = await acls.acl_drift(where.kafka, where.prefix)
        except SecurityDisabled:
            raise Failure(
                "This broker has no authorizer: everybody may do everything there. Start it with one, and "
                "allow.everyone.if.no.acl.found=false (`booking up --secure` does)."
            ) from None
        return Found(place, drift.missing, drift.extra, foreign=drift.foreign)
    async with await _connected(where, place) as conn:
        names = await databases.names_of(conn)
        there = await databases.privilege_drift(conn, place, names)
        unset = () if pooled is None else await sessions.settings_drift(conn, names, statement_timeout=pooled)
    notes = [f"there is no table {name}: migrate first, with this version" for name in there.absent]
    notes += [
        f"nothing is told of the table {name}: is this version older than its migrations?" for name in there.unknown
    ]
    return Found(place, there.missing, there.extra, unset, there.foreign, tuple(notes))


async def _set_right(where: Deployment, found: Found, *, others: bool) -> None:
    remove = (*found.extra, *(found.foreign if others else ()))
    if not (found.missing or found.settings or remove):
        return
    if found.place == BROKER:
        await acls.change_acls(where.kafka, add=found.missing, remove=remove)
        return
    async with await _connected(where, found.place) as conn:
        await databases.set_right(
            conn, add=cast("tuple[Privilege, ...]", found.missing), remove=cast("tuple[Privilege, ...]", remove)
        )
        if found.settings:
            await sessions.set_for_roles(conn, (await databases.names_of(conn)).database, found.settings)


async def _make_analytics(where: Deployment, places: list[str]) -> list[str]:
    made: list[str] = []
    for place in places:
        if place != BROKER:
            async with await _connected(where, place) as conn:
                name = (await databases.names_of(conn)).analytics
                if await databases.make_role(conn, name):
                    made.append(name)
    return made


async def _connected(where: Deployment, service: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(where.database(service), autocommit=True, connect_timeout=10)
