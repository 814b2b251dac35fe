"""The Transaction as the command handler takes it, and how it was at a time before."""

from datetime import datetime
from uuid import UUID

from booking_contracts.topics import TRANSACTIONS
from booking_store import (
    Aggregate,
    AppendSql,
    Change,
    CommandContext,
    Connection,
    GuardFailed,
    Refused,
    StoreError,
    load,
)
from checkout.transaction.commands import Command
from checkout.transaction.decider import decide
from checkout.transaction.refusal import Refusal
from checkout.transaction.row import MOST_UNPAID, parameters
from checkout.transaction.state import Absent, State, evolve


def _hides(_command: Command, state: State, context: CommandContext) -> Refusal | None:
    """E1: another member's Transaction does not exist for a member."""
    role, _, person_id = context.cause.actor.partition(":")
    if role == "member" and not isinstance(state, Absent) and str(state.sale.user_id) != person_id:
        return Refusal("not_found", "There is no such thing for you here.")
    return None


async def _explain(_conn: Connection, error: StoreError, change: Change[Command, State]) -> Exception | None:
    if isinstance(error, GuardFailed) and isinstance(change.before, Absent):
        detail = f"{MOST_UNPAID} Transactions await payment already: pay or cancel one first."
        return Refused(Refusal("too_many_unpaid", detail))
    return None


TRANSACTION: Aggregate[Command, State] = Aggregate(
    stream_type="transaction",
    initial=Absent(),
    decide=decide,
    evolve=evolve,
    append=AppendSql.load("checkout.transaction", "append.sql", topic=TRANSACTIONS.name),
    parameters=parameters,
    hides=_hides,
    explain=_explain,
)


async def read_at(
    conn: Connection, transaction_id: UUID, *, version: int | None = None, instant: datetime | None = None
) -> tuple[State, int]:
    """Fold the stream up to a version, or to what was recorded by an instant (E5); also return its version then."""
    events = await load(conn, transaction_id, up_to=instant, up_to_version=version)
    return TRANSACTION.fold(events), events[-1].version if events else 0
