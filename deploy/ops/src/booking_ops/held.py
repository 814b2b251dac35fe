"""`booking-ops held`: records that could not be applied, with all later ones of their keys; each service has its own.

In bulk a choice is made by service, topic, key, reason and words of the error; what is settled together with a record
of the same key before it counts as settled.
"""

import json
from collections import Counter
from typing import Annotated, Any, Literal

import typer

from booking_ops.calls import Calls, NotThere, calls
from booking_ops.deployment import Deployment, chosen, deployment
from booking_ops.failure import DIFFERENT, GOOD, Failure, Refused
from booking_ops.manners import AsJson, Bar, Deadline, Yes, done, sure

held = typer.Typer(no_args_is_help=True, help="Held records: list, show, replay, discard.")
Services = Annotated[
    list[str] | None, typer.Option("--service", help="Of this service; may be repeated [default: all].")
]
Topic = Annotated[str | None, typer.Option(help="Of this topic, or of those whose names end so.")]
Key = Annotated[str | None, typer.Option(help="Of this key.")]
Reason = Annotated[str | None, typer.Option("--reason", "--code", help="gap, undecodable or failed.")]
Error = Annotated[str | None, typer.Option(help="With these words in the error.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Held records' ids, as `list` shows them; or choose by options.")]
Held = dict[str, Any]
Settling = Literal["replay", "discard"]
_REASONS = ("gap", "undecodable", "failed")
_PATH = "/v1/held-records"


@held.command("list")
def list_held(
    *,
    service: Services = None,
    topic: Topic = None,
    key: Key = None,
    reason: Reason = None,
    error: Error = None,
    as_json: AsJson = False,
    deadline: Deadline = 300,
) -> None:
    """What is held now, newest first. Exit code 0: nothing; 1: something is."""
    wanted = _Choice(service, topic, key, reason, error)
    found = done(_list(deployment(), wanted), deadline)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        for item in found:
            place = f"{item['topic']}[{item['partition']}]@{item['offset']}"
            print(f"{item['id']}  {place}  key {item['key']}  {item['consumer']}  {item['reason']} x{item['attempts']}")
            if item.get("error"):
                print(f"    {item['error']}")
        counts = Counter(f"{item['service']} {item['reason']}" for item in found)
        print(f"{len(found)} held" + "".join(f", {name} {count}" for name, count in sorted(counts.items())))
    raise typer.Exit(DIFFERENT if found else GOOD)


@held.command()
def show(held_id: Annotated[str, typer.Argument(help="The held record's id, as `list` shows it.")]) -> None:
    """One held record with its headers and value, which may hold contact data."""

    async def run() -> Held:
        async with calls(deployment()) as ask:
            return (await _find(ask, held_id))[1]

    print(json.dumps(done(run(), 60), indent=1))


@held.command()
def replay(
    ids: Ids = None,
    *,
    service: Services = None,
    topic: Topic = None,
    key: Key = None,
    reason: Reason = None,
    error: Error = None,
    yes: Yes = False,
    deadline: Deadline = 3_600,
) -> None:
    """Apply them again, and in order what waits behind each. Exit code 1: some are still in the way."""
    _settle("replay", ids, _Choice(service, topic, key, reason, error), yes=yes, deadline=deadline)


@held.command()
def discard(
    ids: Ids = None,
    *,
    service: Services = None,
    topic: Topic = None,
    key: Key = None,
    reason: Reason = None,
    error: Error = None,
    yes: Yes = False,
    deadline: Deadline = 3_600,
) -> None:
    """Give them up: their versions count as taken, what waits behind follows; the audit shows it for ever."""
    _settle("discard", ids, _Choice(service, topic, key, reason, error), yes=yes, deadline=deadline)


class _Choice:
    """Which of all held records are meant."""

    def __init__(
        self, services: list[str] | None, topic: str | None, key: str | None, reason: str | None, error: str | None
    ) -> None:
        if reason is not None and reason not in _REASONS:
            raise Failure(f"There is no reason {reason}: it is one of {', '.join(_REASONS)}.")
        self.services = chosen(services)
        self.any = services is None and not any((topic, key, reason, error))
        self._topic, self._key, self._reason, self._error = topic, key, reason, error

    def has(self, item: Held) -> bool:
        return (
            (self._topic is None or str(item["topic"]).endswith(self._topic))
            and (self._key is None or item["key"] == self._key)
            and (self._reason is None or item["reason"] == self._reason)
            and (self._error is None or self._error in (item.get("error") or ""))
        )


async def _list(where: Deployment, wanted: _Choice) -> list[Held]:
    async with calls(where) as ask:
        return await _chosen(ask, wanted)


async def _chosen(ask: Calls, wanted: _Choice) -> list[Held]:
    found = [
        {"service": service, **item} for service in wanted.services async for item in ask.everything(service, _PATH)
    ]
    return [item for item in found if wanted.has(item)]


async def _find(ask: Calls, held_id: str) -> tuple[str, Held]:
    for service in chosen(None):
        try:
            return service, await ask.ask(service, "GET", f"{_PATH}/{held_id}")
        except NotThere:
            continue
    raise Refused(f"No service holds a record {held_id}: see `held list`.")


def _settle(what: Settling, ids: list[str] | None, wanted: _Choice, *, yes: bool, deadline: float) -> None:
    if bool(ids) is not wanted.any:
        raise Failure(f"Give ids, or choose by --service, --topic, --key, --reason or --error: `held {what} --help`.")
    raise typer.Exit(done(_settle_chosen(deployment(), what, ids or [], wanted, yes=yes), deadline))


async def _settle_chosen(where: Deployment, what: Settling, ids: list[str], wanted: _Choice, *, yes: bool) -> int:
    async with calls(where) as ask:
        if ids:
            pairs = [(held_id, (await _find(ask, held_id))[0]) for held_id in ids]
        else:  # the oldest first: it is what the others of its key wait for
            pairs = [(str(item["id"]), str(item["service"])) for item in reversed(await _chosen(ask, wanted))]
        if not pairs:
            print("Nothing of that is held.")
            return GOOD
        if what == "discard" or len(pairs) > 1:
            sure(f"{what.capitalize()} {len(pairs):,} held record{'s' if len(pairs) > 1 else ''}?", yes=yes)
        bar, came = Bar(), Counter[str]()
        for number, (held_id, service) in enumerate(pairs):
            bar.show(f"{what}", number, len(pairs))
            said = await _settle_one(ask, service, held_id, what, among_others=not ids)
            came["refused" if said is None else said] += 1
        bar.clear()
        if len(pairs) > 1:
            print(", ".join(f"{name} {count:,}" for name, count in sorted(came.items())))
        return DIFFERENT if came["refused"] else GOOD


async def _settle_one(ask: Calls, service: str, held_id: str, what: Settling, *, among_others: bool) -> str | None:
    """What came of it, None when it was refused: that is said and the others follow."""
    try:
        now = await ask.ask(service, "POST", f"{_PATH}/{held_id}/{what}")
    except Refused as refused:
        if among_others and "(already_settled)" in str(refused):
            return "settled with another"
        typer.echo(f"{held_id} {refused}", err=True)
        return None
    outcome = str(now.get("outcome") or what)
    print(f"{held_id} {outcome}", flush=True)
    return outcome
