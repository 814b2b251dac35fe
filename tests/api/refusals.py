"""The walk over the deciders: every command of people, in every state, by everybody who may call its operation.

Every fact that a decision looks at is varied; each refusal goes through its service's own table to the problem that
callers get. `tests/api/test_refusals_told.py` compares these with the documents.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import product
from types import ModuleType
from typing import Any, Literal, get_args
from uuid import UUID

from services.checkout.tests import given as sales
from services.consultation.tests import given as sessions
from tests.api.test_access_matrix import MATRIX

import checkout.transactions.decider
import consultation.sessions.decider
from booking_contracts.event import Event
from booking_contracts.money import Money
from booking_contracts.sessions import CancelReason, SessionStatus
from booking_store import Aggregate, Cause, CommandContext, Refused
from booking_web.problems import Problem
from checkout.transactions import commands as sale
from checkout.transactions.problems import PROBLEMS as OF_SALES
from checkout.transactions.state import Absent, Existing
from checkout.transactions.store import TRANSACTION
from consultation.entitlements.domain import Assessment
from consultation.sessions import commands as session
from consultation.sessions.lifecycle import AdminsFailReason
from consultation.sessions.problems import PROBLEMS as OF_SESSIONS
from consultation.sessions.state import NotRequested, State
from consultation.sessions.store import SESSION, Draft, Person, by_person
from consultation.sessions.times import LocalTimes

Told = dict[str, list[Problem]]
"""What each operation refuses with, each kind of refusal once."""

# --- sessions ---------------------------------------------------------------------------------------------------------

STATUSES: list[SessionStatus] = list(get_args(SessionStatus))
STATES: list[State] = [
    NotRequested(),
    *(sessions.given(status, auto_start=auto) for status in STATUSES for auto in (False, True)),
]
TIMES = [
    sessions.NINE,
    LocalTimes(date(2026, 12, 2), time(10), time(9), "Asia/Jakarta"),
    LocalTimes(date(2026, 12, 2), time(9), time(10), "Nowhere/City"),
]
PEOPLE = (sessions.MEMBER, sessions.PRACTITIONER, sessions.ADMIN, sessions.NEW_PRACTITIONER)
NOW, LATER = sessions.NOW, sessions.DUE + timedelta(days=1)

DRAFTS: dict[str, list[Draft]] = {
    "schedule_session": [
        lambda actor, at, times=times: session.Schedule(actor, at, times, sessions.LINK) for times in TIMES
    ],
    "reschedule_session": [
        lambda actor, at, times=times: session.Reschedule(actor, at, times, sessions.LINK) for times in TIMES
    ],
    "start_session": [session.Start],
    "upload_session_result": [
        lambda actor, at, ended=ended: session.UploadResult(
            actor, at, sessions.RESULT, has_link=True, has_notes=True, ended_at=ended
        )
        for ended in (None, sessions.NOW, sessions.DUE + timedelta(days=2))
    ],
    "cancel_session": [
        lambda actor, at, code=code: session.Cancel(actor, at, code, sessions.REASON) for code in get_args(CancelReason)
    ],
    "fail_session": [
        lambda actor, at, code=code: session.Fail(actor, at, code, sessions.REASON)
        for code in get_args(AdminsFailReason)
    ],
}
"""By operation, with all that its body may say."""


def of_sessions() -> Told:
    """Of consultation's commands."""
    told: Told = {"request_session": _requests()}
    for operation, drafts in DRAFTS.items():
        given = product(drafts, STATES, PEOPLE, MATRIX["consultation"][operation], (NOW, LATER))
        told[operation] = _refused(SESSION, OF_SESSIONS, asyncio.run(_drafted(given)))
    return told


async def _drafted(
    given: Iterable[tuple[Draft, State, UUID, str, datetime]],
) -> list[tuple[session.Command, State]]:
    return [
        (await by_person(Person(person, frozenset({role})), draft, at)(state), state)
        for draft, state, person, role, at in given
    ]


def _requests() -> list[Problem]:
    """Of a new id always: another state than nothing it never meets."""
    entitlements = [
        sessions.sale(status=status, practitioner_id=practitioner, kind=kind)
        for status, practitioner, kind in product(
            ("awaiting_payment", "paid", "expired", "canceled", "refund_requested", "refunded"),
            (None, sessions.PRACTITIONER),
            (None, "counseling"),
        )
    ]
    assessments = [None, *(Assessment(sessions.ASSESSMENT, person) for person in PEOPLE)]
    commands = [
        (
            sessions.request(session.Actor("member", person), entitlement=entitlement, assessment=assessment),
            NotRequested(),
        )
        for entitlement, assessment, person in product(entitlements, assessments, PEOPLE)
    ]
    return _refused(SESSION, OF_SESSIONS, commands)


def of_system() -> None:
    """What timers and other services' events ask, too: told to no caller."""
    _refused(SESSION, OF_SESSIONS, _by_the_system())
    for history, now in product(_histories(), (sales.NOON, sales.CREATED.expires_at)):
        sales.when(sale.Expire(now), *history)


def _by_the_system() -> Iterator[tuple[session.Command, State]]:
    for state, at in product(STATES, (NOW, LATER)):
        yield session.Start(session.SYSTEM, at), state
        yield session.Fail(session.SYSTEM, at, "practitioner_timeout"), state
        yield session.Fail(session.SYSTEM, at, "payment_reversed"), state
        yield session.ChangePractitioner(session.SYSTEM, at, sessions.NEW_PRACTITIONER, at), state


# --- Transactions -----------------------------------------------------------------------------------------------------


Outcome = Literal["refund", "dismiss"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def _histories() -> Iterator[tuple[Event, ...]]:
    paths = [*sales.EVERY_STATUS.values(), sales.WHEN_REFUNDING, sales.WHEN_REFUND_FAILED]
    for path in paths:
        yield path
        for report in _reports():
            history = (*path, *sales.happened(report, *path))
            yield history
            for review in _reviews(history):
                for outcome in OUTCOMES:
                    settled = sales.when(_settle(review, outcome), *history)
                    if not isinstance(settled, sale.Refusal):
                        yield (*history, *settled)


def _reports() -> Iterator[sale.ReportPayment]:
    """Money that fits nothing, money that left wholly, partly and by an unknown part, a contradiction."""
    half = Money(sales.PRICE.amount // 2, sales.PRICE.currency)
    yield sales.report("paid", half, payment="p2")
    yield sales.report("failed")
    yield sales.report("refunded")
    yield sales.report("partly_refunded", returned=half)
    yield sales.report("partly_refunded")


def _reviews(history: tuple[Event, ...]) -> list[UUID]:
    state = sales.after(*history)
    return [] if isinstance(state, Absent) else [review.id for review in state.reviews]


def _settle(review: UUID, outcome: Outcome) -> sale.SettleReview:
    return sale.SettleReview(review, outcome, sales.REASON, UUID(int=77))


def _candidates() -> Iterator[sale.Candidate | None]:
    yield None
    for person, tier, active in product(
        (sales.PRACTITIONER, sales.OTHER, sales.MEMBER), ("gold", "basic"), (True, False)
    ):
        yield sales.candidate(person, tier=tier, active=active)


def of_sales() -> Told:
    """Of checkout's."""
    created = sales.create()
    offers = (None, created.offer, sales.create(active=False).offer)
    purchases = [
        sale.Create(created.transaction_id, created.user_id, offer, candidate, "midtrans", created.expires_at)
        for offer, candidate in product(offers, _candidates())
    ]
    states = [Absent(), *(sales.after(*history) for history in _histories())]
    reviews = [review.id for state in states if isinstance(state, Existing) for review in state.reviews]
    given: dict[str, list[sale.Command]] = {
        "cancel_transaction": [sale.Cancel(None), sale.Cancel(sales.REASON)],
        "refund_transaction": [sale.RequestRefund(UUID(int=77), sales.REASON)],
        "reassign_transaction": [
            sale.Reassign(candidate, sales.REASON, status)
            for candidate, status in product(_candidates(), (None, *STATUSES))
        ],
        "settle_payment_review": [
            _settle(review, outcome) for review, outcome in product([UUID(int=99), *reviews], OUTCOMES)
        ],
    }
    told: Told = {"create_transaction": _refused(TRANSACTION, OF_SALES, [(one, Absent()) for one in purchases])}
    for operation, commands in given.items():
        roles = MATRIX["checkout"][operation]
        told[operation] = [
            problem
            for role, person in product(roles, (sales.MEMBER, sales.OTHER))
            for problem in _refused(TRANSACTION, OF_SALES, product(commands, states), f"{role}:{person}")
        ]
    return told


def _refused(
    aggregate: Aggregate[Any, Any], problems: Any, given: Iterable[tuple[Any, Any]], actor: str = "system"
) -> list[Problem]:
    """One of each code and members."""
    context, found = CommandContext(Cause(actor, "walk"), NOW), dict[tuple[str, ...], Problem]()
    for command, state in given:
        said = aggregate.hides(command, state, context) or aggregate.decide(command, state)
        if hasattr(said, "code"):
            problem: Problem = problems[Refused](Refused(said))
            found.setdefault((problem.code, *sorted(problem.members)), problem)
    return [*found.values()]


DECIDERS: dict[str, tuple[Callable[[], Told], ModuleType]] = {
    "checkout": (of_sales, checkout.transactions.decider),
    "consultation": (of_sessions, consultation.sessions.decider),
}
"""By service: the walk over its commands, and where it refuses."""
