"""Which command is possible in which status (P1, P2, P3, P5)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from services.checkout.tests.given import (
    ASSIGNED,
    AWAITING,
    CREATED,
    EVERY_STATUS,
    EXPIRED,
    MEMBER,
    NOON,
    OTHER,
    PAID,
    PARTIES,
    PRACTITIONER,
    PRICE,
    REASON,
    REFUND,
    WHEN_CANCELED,
    WHEN_EXPIRED,
    WHEN_PAID,
    WHEN_REFUND_FAILED,
    WHEN_REFUNDED,
    WHEN_REFUNDING,
    after,
    candidate,
    code_of,
    create,
    happened,
    types,
    when,
)

from booking_contracts.transactions import (
    PractitionerReassigned,
    RefundFailed,
    RefundRequested,
    TransactionCanceled,
    TransactionExpired,
    TransactionRefunded,
)
from checkout.transactions.commands import (
    Cancel,
    Candidate,
    ConfirmRefund,
    Expire,
    FollowSession,
    Reassign,
    Refusal,
    RefuseRefund,
    RequestRefund,
)
from checkout.transactions.state import ImpossibleHistoryError, Paid, Status

DUE = Expire(CREATED.expires_at)
TO_OTHER = Reassign(candidate(OTHER), REASON, None)
COMMANDS = {
    "cancel": (Cancel(None), {"awaiting_payment"}),
    "expire": (DUE, {"awaiting_payment"}),
    "reassign": (TO_OTHER, {"awaiting_payment", "paid"}),
    "refund": (RequestRefund(REFUND, REASON), {"paid"}),
}


@pytest.mark.parametrize("status", EVERY_STATUS)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_status__only_the_lifecycles_commands_pass(name: str, status: Status) -> None:
    """P3: every (status, command) cell; a refusal names the status."""
    command, allowed = COMMANDS[name]
    answer = when(command, *EVERY_STATUS[status])
    if status in allowed:
        assert isinstance(answer, list)
        assert answer
    else:
        assert answer == Refusal("wrong_status", f"That is not possible for a Transaction that is {status}.", status)


@pytest.mark.parametrize("command", [c for c, _ in COMMANDS.values()])
def test_absent__nothing_can_be_asked(command: object) -> None:
    assert code_of(when(command)) == "not_found"


class TestAbsent:
    def test_create__locks_the_pair_and_copies_the_catalogue(self) -> None:
        """P1, P2."""
        assert happened(create()) == [CREATED, ASSIGNED]

    def test_create__an_inactive_product_is_not_sold(self) -> None:
        """P1."""
        assert code_of(when(create(active=False))) == "product_not_available"

    def test_create__an_inactive_practitioner_cannot_be_chosen(self) -> None:
        """P1."""
        assert code_of(when(create(candidate(active=False)))) == "practitioner_not_available"

    def test_create__the_practitioner_must_serve_the_tier(self) -> None:
        """P1."""
        assert code_of(when(create(candidate(tier="silver")))) == "practitioner_not_available"

    def test_create__nobody_buys_from_themselves(self) -> None:
        """P1."""
        assert code_of(when(create(candidate(MEMBER)))) == "own_practitioner"

    @pytest.mark.parametrize(("lacks", "said"), [("offer", "product"), ("practitioner", "practitioner")])
    def test_create__what_there_is_not_cannot_be_chosen(self, lacks: str, said: str) -> None:
        """P1, before anything else is said of it."""
        refusal = Refusal("not_found", f"There is no such {said}.")
        assert when(replace(create(active=lacks == "offer"), **{lacks: None})) == refusal

    def test_evolve__a_stream_that_begins_otherwise_is_impossible(self) -> None:
        with pytest.raises(ImpossibleHistoryError):
            after(PAID)


class TestAwaitingPayment:
    def test_create__a_second_time_is_refused(self) -> None:
        assert code_of(when(create(), *AWAITING)) == "wrong_status"

    def test_cancel(self) -> None:
        assert happened(Cancel(REASON), *AWAITING) == [TransactionCanceled(**PARTIES, reason_id=REASON)]

    def test_expire__when_its_time_is_over(self) -> None:
        assert happened(DUE, *AWAITING) == [TransactionExpired(**PARTIES, expires_at=CREATED.expires_at)]

    def test_expire__never_before(self) -> None:
        early = Expire(CREATED.expires_at - timedelta(microseconds=1))
        assert code_of(when(early, *AWAITING)) == "not_due"


class TestPaid:
    def test_refund__of_the_whole_payment(self) -> None:
        """P5."""
        (event,) = happened(RequestRefund(REFUND, REASON), *WHEN_PAID)
        assert event == RefundRequested(**PARTIES, refund_id=REFUND, amount=PRICE, reason_id=REASON)

    def test_refund__once_at_a_time(self) -> None:
        """P5."""
        assert code_of(when(RequestRefund(OTHER, REASON), *WHEN_REFUNDING)) == "refund_in_progress"

    def test_refund__again_after_the_providers_no(self) -> None:
        """P5."""
        assert types(happened(RequestRefund(OTHER, REASON), *WHEN_REFUND_FAILED)) == ["RefundRequested"]

    def test_refund_requested__the_status_stays_paid(self) -> None:
        """P5."""
        assert isinstance(after(*WHEN_REFUNDING), Paid)
        assert isinstance(after(*WHEN_REFUND_FAILED), Paid)

    def test_refund_confirmed(self) -> None:
        (event,) = happened(ConfirmRefund(REFUND, "r-1"), *WHEN_REFUNDING)
        assert event == TransactionRefunded(**PARTIES, refund_id=REFUND, amount=PRICE, provider_refund_id="r-1")

    def test_refund_refused(self) -> None:
        (event,) = happened(RefuseRefund(REFUND, "412"), *WHEN_REFUNDING)
        assert event == RefundFailed(**PARTIES, refund_id=REFUND, code="412")

    @pytest.mark.parametrize("given", [WHEN_PAID, WHEN_REFUND_FAILED, WHEN_REFUNDED, AWAITING, WHEN_EXPIRED])
    def test_refund_told_again__changes_nothing(self, given: tuple) -> None:
        """P5: repeated safely."""
        assert happened(ConfirmRefund(REFUND, None), *given) == []
        assert happened(RefuseRefund(REFUND, "412"), *given) == []

    def test_refund_of_another_id__changes_nothing(self) -> None:
        assert happened(ConfirmRefund(OTHER, None), *WHEN_REFUNDING) == []


class TestReassignment:
    """P2."""

    def test_to_nobody__is_refused(self) -> None:
        assert when(replace(TO_OTHER, practitioner=None), *WHEN_PAID) == Refusal(
            "not_found", "There is no such practitioner."
        )

    def test_to_another_practitioner_of_the_tier(self) -> None:
        (event,) = happened(TO_OTHER, *WHEN_PAID)
        assert event == PractitionerReassigned(
            **{**PARTIES, "practitioner_id": OTHER},
            previous_practitioner_id=PRACTITIONER,
            reason_code="by_admin",
            reason_id=REASON,
        )

    def test_later_events_name_the_new_one(self) -> None:
        (reassigned,) = happened(TO_OTHER, *WHEN_PAID)
        (requested,) = happened(RequestRefund(REFUND, REASON), *WHEN_PAID, reassigned)
        assert isinstance(requested, RefundRequested)
        assert requested.practitioner_id == OTHER

    @pytest.mark.parametrize("status", ["on_progress", "completed"])
    def test_refused_once_a_session_began(self, status: str) -> None:
        assert code_of(when(replace(TO_OTHER, session_status=status), *WHEN_PAID)) == "session_started"

    @pytest.mark.parametrize("status", [None, "pending_negotiation", "scheduled", "canceled", "failed"])
    def test_possible_before(self, status: str | None) -> None:
        assert len(happened(replace(TO_OTHER, session_status=status), *WHEN_PAID)) == 1

    def test_refused_for_the_same_practitioner(self) -> None:
        same = Reassign(candidate(PRACTITIONER), REASON, None)
        assert code_of(when(same, *WHEN_PAID)) == "same_practitioner"

    def test_refused_for_the_member(self) -> None:
        assert code_of(when(Reassign(candidate(MEMBER), REASON, None), *WHEN_PAID)) == "own_practitioner"

    @pytest.mark.parametrize("wrong", [candidate(OTHER, tier="silver"), candidate(OTHER, active=False)])
    def test_refused_for_one_who_cannot_be_chosen(self, wrong: Candidate) -> None:
        assert code_of(when(Reassign(wrong, REASON, None), *WHEN_PAID)) == "practitioner_not_available"

    def test_refused_while_money_goes_back(self) -> None:
        assert code_of(when(TO_OTHER, *WHEN_REFUNDING)) == "refund_in_progress"

    @pytest.mark.parametrize("status", EVERY_STATUS)
    def test_a_session_that_began_with_another__the_pair_follows_it(self, status: str) -> None:
        (event,) = happened(FollowSession(OTHER), *EVERY_STATUS[status])
        assert event == PractitionerReassigned(
            **{**PARTIES, "practitioner_id": OTHER},
            previous_practitioner_id=PRACTITIONER,
            reason_code="session_already_started",
        )

    def test_a_session_that_began_with_its_own__nothing(self) -> None:
        assert happened(FollowSession(PRACTITIONER), *WHEN_PAID) == []


@pytest.mark.parametrize("given", [WHEN_EXPIRED, WHEN_CANCELED, WHEN_REFUNDED])
def test_final__an_event_of_another_status_is_impossible(given: tuple) -> None:
    with pytest.raises(ImpossibleHistoryError):
        after(*given, EXPIRED)


def test_refund__shows_when_it_was_asked_for_and_settled() -> None:
    state = after(*WHEN_REFUNDED)
    refund = getattr(state, "refund", None)
    assert refund is not None
    assert (refund.requested_at, refund.settled_at, refund.status) == (NOON, NOON, "succeeded")
