# Generated of docs/openapi.json by `make generate`.

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict


class ActiveSessionExistsProblem(TypedDict):
    """
    409 `active_session_exists`. The session that is there already.
    """

    code: Literal["active_session_exists"]
    detail: str
    instance: str
    session_id: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:active_session_exists"]


AdminFailReason: TypeAlias = Literal["technical", "no_show_member", "no_show_practitioner", "other"]


class AlreadySettledProblem(TypedDict):
    """
    409 `already_settled`.
    """

    code: Literal["already_settled"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:already_settled"]


class Assessment(TypedDict):
    """
    An assessment as it is known here.
    """

    completed_at: str
    id: str
    user_id: str
    version: int


class AssessmentCompletion(TypedDict, closed=True):
    """
    What the assessment service tells.
    """

    completed_at: str
    user_id: str


class AssessmentPage(TypedDict):
    items: list[Assessment]
    next_cursor: NotRequired[str | None]


class BadRequestProblem(TypedDict):
    """
    400 `bad_request`.
    """

    code: Literal["bad_request"]
    detail: str
    instance: str
    status: Literal[400]
    title: str
    type: Literal["urn:booking:problem:bad_request"]


class BusyInterval(TypedDict):
    """
    A time that is taken, `[start, end)`.
    """

    end: str
    start: str


class BusyIntervalPage(TypedDict):
    items: list[BusyInterval]
    next_cursor: NotRequired[str | None]


class CalendarFeed(TypedDict):
    """
    A feed; `url` is a secret.
    """

    created_at: str
    id: str
    url: str
    version: NotRequired[int]


class CalendarFeedPage(TypedDict):
    items: list[CalendarFeed]
    next_cursor: NotRequired[str | None]


CancelReason: TypeAlias = Literal["canceled_by_member", "canceled_by_practitioner", "other"]


class ChangedMeanwhileProblem(TypedDict):
    """
    409 `changed_meanwhile`.
    """

    code: Literal["changed_meanwhile"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:changed_meanwhile"]


class Contact(TypedDict):
    email: str | None
    id: str
    locale: str
    name: str | None
    phone: str | None
    timezone: str
    version: int


class ContactChange(TypedDict, closed=True):
    """
    What is left out stays as it is; null removes a name, an email or a phone.
    """

    email: NotRequired[str | None]
    locale: NotRequired[str]
    name: NotRequired[str | None]
    phone: NotRequired[str | None]
    timezone: NotRequired[str]


class DatabaseUnavailableProblem(TypedDict):
    """
    503 `database_unavailable`.
    """

    code: Literal["database_unavailable"]
    detail: str
    instance: str
    status: Literal[503]
    title: str
    type: Literal["urn:booking:problem:database_unavailable"]


FailReason: TypeAlias = Literal[
    "technical", "no_show_member", "no_show_practitioner", "other", "practitioner_timeout", "payment_reversed"
]


FieldErrorCode: TypeAlias = Literal[
    "missing",
    "unknown_field",
    "unknown_parameter",
    "repeated_parameter",
    "wrong_type",
    "malformed",
    "not_allowed",
    "too_short",
    "too_long",
    "out_of_range",
    "invalid",
    "invalid_instant",
    "invalid_cursor",
    "invalid_time",
    "invalid_link",
    "invalid_reason",
]


class ForbiddenProblem(TypedDict):
    """
    403 `forbidden`.
    """

    code: Literal["forbidden"]
    detail: str
    instance: str
    status: Literal[403]
    title: str
    type: Literal["urn:booking:problem:forbidden"]


class IdempotencyKeyReusedProblem(TypedDict):
    """
    422 `idempotency_key_reused`.
    """

    code: Literal["idempotency_key_reused"]
    detail: str
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:idempotency_key_reused"]


class IdentityUnavailableProblem(TypedDict):
    """
    503 `identity_unavailable`.
    """

    code: Literal["identity_unavailable"]
    detail: str
    instance: str
    status: Literal[503]
    title: str
    type: Literal["urn:booking:problem:identity_unavailable"]


class InternalErrorProblem(TypedDict):
    """
    500 `internal_error`.
    """

    code: Literal["internal_error"]
    detail: str
    instance: str
    status: Literal[500]
    title: str
    type: Literal["urn:booking:problem:internal_error"]


class InvalidConsistencyTokenProblem(TypedDict):
    """
    422 `invalid_consistency_token`.
    """

    code: Literal["invalid_consistency_token"]
    detail: str
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_consistency_token"]


class InvalidIdempotencyKeyProblem(TypedDict):
    """
    422 `invalid_idempotency_key`.
    """

    code: Literal["invalid_idempotency_key"]
    detail: str
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_idempotency_key"]


class InvalidTextProblem(TypedDict):
    """
    422 `invalid_text`.
    """

    code: Literal["invalid_text"]
    detail: str
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_text"]


class InvalidTicketProblem(TypedDict):
    """
    401 `invalid_ticket`.
    """

    code: Literal["invalid_ticket"]
    detail: str
    instance: str
    status: Literal[401]
    title: str
    type: Literal["urn:booking:problem:invalid_ticket"]


class InvalidValueProblem(TypedDict):
    """
    422 `invalid_value`.
    """

    code: Literal["invalid_value"]
    detail: str
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_value"]


class LeftSession(TypedDict):
    session_id: str


class MalformedJsonProblem(TypedDict):
    """
    400 `malformed_json`.
    """

    code: Literal["malformed_json"]
    detail: str
    instance: str
    status: Literal[400]
    title: str
    type: Literal["urn:booking:problem:malformed_json"]


class Money(TypedDict):
    """
    An integer in the currency's unit: 250000 IDR is Rp250.000.
    """

    amount: int
    currency: str


MoneyDirection: TypeAlias = Literal["in", "out"]


class NewWebhookSecret(TypedDict, closed=True):
    """
    How a secret is replaced.
    """

    overlap_seconds: NotRequired[int]
    """
    How long the one before it signs too; 0 where it has leaked.
    """


class NotFoundProblem(TypedDict):
    """
    404 `not_found`.
    """

    code: Literal["not_found"]
    detail: str
    instance: str
    status: Literal[404]
    title: str
    type: Literal["urn:booking:problem:not_found"]


class NotRefundableProblem(TypedDict):
    """
    409 `not_refundable`.
    """

    code: Literal["not_refundable"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:not_refundable"]


class NotYetVisibleProblem(TypedDict):
    """
    503 `not_yet_visible`.
    """

    code: Literal["not_yet_visible"]
    detail: str
    instance: str
    status: Literal[503]
    title: str
    type: Literal["urn:booking:problem:not_yet_visible"]


NotificationChannel: TypeAlias = Literal["email", "whatsapp"]


class NotificationChannels(TypedDict, closed=True):
    """
    Which channels a person wants.
    """

    email: bool
    whatsapp: bool


NotificationStatus: TypeAlias = Literal["pending", "sending", "sent", "delivered", "failed", "ambiguous", "skipped"]


NotificationTemplate: TypeAlias = Literal[
    "session_requested",
    "session_scheduled",
    "session_rescheduled",
    "session_canceled",
    "session_failed",
    "result_uploaded",
    "transaction_paid",
    "transaction_expired",
    "transaction_refunded",
    "practitioner_changed",
    "practitioner_released",
    "payment_review",
    "refund_failed",
    "reminder_24h",
    "reminder_1h",
    "request_unanswered",
    "request_unanswered_admins",
]


class NotificationWrongStatusProblem(TypedDict):
    """
    409 `wrong_status`. How far the message is.
    """

    code: Literal["wrong_status"]
    current_status: NotificationStatus
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:wrong_status"]


class NumberTooLargeProblem(TypedDict):
    """
    400 `number_too_large`.
    """

    code: Literal["number_too_large"]
    detail: str
    instance: str
    status: Literal[400]
    title: str
    type: Literal["urn:booking:problem:number_too_large"]


class OtherOwnerProblem(TypedDict):
    """
    409 `other_owner`.
    """

    code: Literal["other_owner"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:other_owner"]


class OwnPractitionerProblem(TypedDict):
    """
    409 `own_practitioner`.
    """

    code: Literal["own_practitioner"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:own_practitioner"]


class Payment(TypedDict):
    """
    How to pay. `redirect_url` is null until the provider gave a page.
    """

    expires_at: str
    provider: str
    redirect_url: str | None
    reference: str


class Amount(TypedDict):
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """

    amount: int
    currency: str


class Data(TypedDict):
    amount: NotRequired[Amount]
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """
    code: str
    """
    Why it failed, a name made for machines. Open: expect names that are not known yet.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    provider: str
    """
    The payment provider. Open: expect names that are not known yet.
    """
    provider_payment_id: str
    """
    The payment at its provider.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class PaymentDeclinedItem(TypedDict):
    """
    The provider said that a payment was refused before any money of it came (P4); told once for each payment. Nothing
    changes: the member may try again until `expires_at`. Analytics reads it.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.PaymentDeclined.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class Expected(TypedDict):
    """
    What should have come in.
    """

    amount: int
    currency: str


class Received(TypedDict):
    """
    What came in by this payment.
    """

    amount: int
    currency: str


class Returned(TypedDict):
    """
    What is known to have gone back of it; absent for nothing.
    """

    amount: int
    currency: str


class Data1(TypedDict):
    cause: Literal["after_expiry", "after_cancel", "wrong_amount", "wrong_currency", "second_payment"]
    """
    Why the money does not simply pay.
    """
    direction: NotRequired[Literal["in", "out"]]
    """
    Whether money came in or went out; absent for in.
    """
    expected: Expected
    """
    What should have come in.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    provider: str
    """
    The payment provider. Open: expect names that are not known yet.
    """
    provider_payment_id: str
    """
    The payment at its provider.
    """
    received: Received
    """
    What came in by this payment.
    """
    refundable: NotRequired[bool]
    """
    Whether settling the review may give something back; absent if unknown.
    """
    returned: NotRequired[Returned]
    """
    What is known to have gone back of it; absent for nothing.
    """
    review_id: str
    """
    The payment review; absent if the money belongs to none.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class PaymentNeedsReviewItem(TypedDict):
    """
    Money arrived that does not simply pay: too late, of a wrong amount or currency, or a second time (`direction` in
    or null); or a part of a payment left, or the provider contradicts itself (out) (P4). `received` is what came in by
    this payment, `returned` what is known to have gone back of it, null for nothing. `refundable` false: how much is
    left is unknown, or the payment counts for another Transaction, so settling it may give nothing back. The same
    `review_id` again tells what is known by then. Notifier tells the admins, one of whom settles it.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data1
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.PaymentNeedsReview.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class Data2(TypedDict):
    outcome: Literal["refund", "dismiss"]
    """
    How an admin settled the review.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    reason_id: str
    """
    Where the reason's words are kept, apart and erasable; absent if there are none.
    """
    review_id: str
    """
    The payment review; absent if the money belongs to none.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class PaymentReviewSettledItem(TypedDict):
    """
    An admin settled a payment review by refund or dismissal (P4). No other service reacts: a refund tells itself.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data2
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.PaymentReviewSettled.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class PersonErasedProblem(TypedDict):
    """
    403 `person_erased`.
    """

    code: Literal["person_erased"]
    detail: str
    instance: str
    status: Literal[403]
    title: str
    type: Literal["urn:booking:problem:person_erased"]


class Practitioner(TypedDict):
    """
    `phone`, `email` and `active` are shown to the practitioner and to admins only.
    """

    active: NotRequired[bool | None]
    bio: str | None
    email: NotRequired[str | None]
    id: str
    name: str
    phone: NotRequired[str | None]
    photo_url: str | None
    profession: str | None
    tiers: list[str]
    timezone: str
    version: int


Tier: TypeAlias = str


class PractitionerChange(TypedDict, closed=True):
    """
    What is left out stays as it is, and what cannot be absent stays at null; null removes the rest. `tiers` and
    `active` are an admin's.
    """

    active: NotRequired[bool | None]
    bio: NotRequired[str | None]
    email: NotRequired[str | None]
    name: NotRequired[str | None]
    phone: NotRequired[str | None]
    photo_url: NotRequired[str | None]
    profession: NotRequired[str | None]
    tiers: NotRequired[list[Tier] | None]
    timezone: NotRequired[str | None]


class Previous(TypedDict):
    """
    What was given up.
    """

    ends_at: str
    starts_at: str


class Data4(TypedDict):
    practitioner_id: str
    """
    The practitioner.
    """
    previous: NotRequired[Previous]
    """
    What was given up.
    """
    previous_practitioner_id: str
    """
    The practitioner before.
    """
    previous_status: Literal["pending_negotiation", "scheduled"]
    """
    The session's status before.
    """
    respond_by: str
    """
    Until when the practitioner must answer.
    """
    schedule_version: int
    """
    0 before the first schedule, then one more by every change of it.
    """
    session_id: str
    """
    The session.
    """
    status: Literal["pending_negotiation"]
    """
    The session's status after this.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class PractitionerChangedItem(TypedDict):
    """
    The Transaction was reassigned while the session was open: it waits for the new practitioner's answer (P2).
    Notifier tells all three, the calendar takes the session out of ranges and feeds (C1).
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data4
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.PractitionerChanged.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class PractitionerNotAvailableProblem(TypedDict):
    """
    409 `practitioner_not_available`.
    """

    code: Literal["practitioner_not_available"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:practitioner_not_available"]


class PractitionerPage(TypedDict):
    items: list[Practitioner]
    next_cursor: NotRequired[str | None]


class PractitionerPlace(TypedDict):
    """
    In the list of one tier.
    """

    of: int
    """
    How many are in the list.
    """
    rank: int
    """
    1 is the first.
    """
    tier: str


class Data5(TypedDict):
    practitioner_id: str
    """
    The practitioner.
    """
    previous_practitioner_id: str
    """
    The practitioner before.
    """
    reason_code: Literal["by_admin", "session_already_started"]
    """
    Why.
    """
    reason_id: NotRequired[str]
    """
    Where the reason's words are kept, apart and erasable; absent if there are none.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class PractitionerReassignedItem(TypedDict):
    """
    An admin gave the Transaction to another practitioner, or the system gave it back because the session had already
    begun (P2). Consultation moves an open session to the new practitioner.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data5
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.PractitionerReassigned.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class PractitionerStanding(TypedDict):
    """
    The figures that the lists go by now, and a place in each of them; none for who takes no clients.
    """

    activity: int
    """
    What they did to sessions in it.
    """
    completeness: int
    """
    0 to 3: photo, bio, profession.
    """
    month: str
    """
    The first day of the month that counts: the previous one.
    """
    places: list[PractitionerPlace]
    productivity: int
    """
    Sessions completed in it.
    """


class PreconditionRequiredProblem(TypedDict):
    """
    428 `precondition_required`.
    """

    code: Literal["precondition_required"]
    detail: str
    instance: str
    status: Literal[428]
    title: str
    type: Literal["urn:booking:problem:precondition_required"]


class Preferences(TypedDict):
    """
    What holds for a person; version 0 until they have chosen.
    """

    channels: NotificationChannels
    version: int


class PreferencesChoice(TypedDict, closed=True):
    """
    What a person chooses.
    """

    channels: NotificationChannels


class Price(TypedDict, closed=True):
    """
    Money in the currency's unit: 250000 IDR is Rp250.000.
    """

    amount: int
    currency: str


ProductKind: TypeAlias = Literal["verification", "counseling"]


class ProductNotAvailableProblem(TypedDict):
    """
    409 `product_not_available`.
    """

    code: Literal["product_not_available"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:product_not_available"]


class Purchase(TypedDict, closed=True):
    practitioner_id: str
    product_id: str
    return_url: NotRequired[str | None]
    """
    Where the payment page sends the member afterwards; of an origin that is allowed.
    """


class RankedPractitioner(TypedDict):
    """
    A practitioner who can be chosen. The order: productivity, activity, completeness, then id.
    """

    activity: int
    """
    What they did to sessions last month.
    """
    bio: str | None
    completeness: int
    """
    0 to 3: photo, bio, profession.
    """
    id: str
    name: str
    photo_url: str | None
    productivity: int
    """
    Sessions completed last month.
    """
    profession: str | None
    rank: int
    """
    1 is the first.
    """
    tiers: list[str]
    timezone: str
    version: int


class RankedPractitionerPage(TypedDict):
    items: list[RankedPractitioner]
    next_cursor: NotRequired[str | None]


class RateLimitedProblem(TypedDict):
    """
    429 `rate_limited`.
    """

    code: Literal["rate_limited"]
    detail: str
    instance: str
    status: Literal[429]
    title: str
    type: Literal["urn:booking:problem:rate_limited"]


class Reassignment(TypedDict, closed=True):
    practitioner_id: str
    reason: str


class Data6(TypedDict):
    code: str
    """
    Why it failed, a name made for machines. Open: expect names that are not known yet.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    refund_id: str
    """
    The refund.
    """
    review_id: NotRequired[str]
    """
    The payment review; absent if the money belongs to none.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class RefundFailedItem(TypedDict):
    """
    The provider's final no to a refund (P5). Without `review_id` the right to request a session returns; notifier
    tells the admins, who may try again.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data6
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.RefundFailed.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class RefundRequest(TypedDict, closed=True):
    reason: str


class Data7(TypedDict):
    amount: Amount
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """
    practitioner_id: str
    """
    The practitioner.
    """
    reason_id: str
    """
    Where the reason's words are kept, apart and erasable; absent if there are none.
    """
    refund_id: str
    """
    The refund.
    """
    review_id: NotRequired[str]
    """
    The payment review; absent if the money belongs to none.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class RefundRequestedItem(TypedDict):
    """
    Money is to be given back: an admin asked, or the provider began it (P5). Without `review_id` the right to request
    a session ends, and consultation fails the open one.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data7
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.RefundRequested.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


RefundStatus: TypeAlias = Literal["requested", "succeeded", "failed"]


class Data8(TypedDict):
    ended_at: NotRequired[str]
    """
    When the meeting was over, as the practitioner said; absent where nobody did. Not the time of the result.
    """
    has_link: bool
    """
    Whether the result has a link. The link itself is read from consultation.
    """
    has_notes: bool
    """
    Whether the result has notes. They are read from consultation.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    previous_result_id: str
    """
    The result that was replaced.
    """
    result_id: str
    """
    The result.
    """
    session_id: str
    """
    The session.
    """
    status: Literal["completed"]
    """
    The session's status after this.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class ResultReplacedItem(TypedDict):
    """
    The practitioner replaced the result of a completed session; the earlier one stays in the history. It counts as
    activity (L2), never again as productivity. `ended_at` is what is known by then (S8): as it was before, unless this
    says another.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data8
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.ResultReplaced.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class Data9(TypedDict):
    ended_at: NotRequired[str]
    """
    When the meeting was over, as the practitioner said; absent where nobody did. Not the time of the result.
    """
    has_link: bool
    """
    Whether the result has a link. The link itself is read from consultation.
    """
    has_notes: bool
    """
    Whether the result has notes. They are read from consultation.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    result_id: str
    """
    The result.
    """
    session_id: str
    """
    The session.
    """
    status: Literal["completed"]
    """
    The session's status after this.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class ResultUploadedItem(TypedDict):
    """
    The practitioner uploaded a recording or notes, which completes the session. Notifier tells the member, checkout
    counts the practitioner's productivity (L2). Link and notes themselves are read from consultation (E4). `ended_at`
    is there if the practitioner said when they parted (S8).
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data9
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.ResultUploaded.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


ReviewCause: TypeAlias = Literal[
    "after_expiry",
    "after_cancel",
    "wrong_amount",
    "wrong_currency",
    "second_payment",
    "unreadable",
    "unknown_transaction",
]


ReviewOutcome: TypeAlias = Literal["refund", "dismiss", "matched"]


ReviewStatus: TypeAlias = Literal["open", "settled"]


class SamePractitionerProblem(TypedDict):
    """
    409 `same_practitioner`.
    """

    code: Literal["same_practitioner"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:same_practitioner"]


class Data10(TypedDict):
    assessment_id: NotRequired[str]
    """
    The assessment that the member finished; another system's id.
    """
    auto_start: bool
    """
    Whether the session starts by itself at its start time.
    """
    kind: ProductKind
    """
    What was bought.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    respond_by: str
    """
    Until when the practitioner must answer.
    """
    session_id: str
    """
    The session.
    """
    status: Literal["pending_negotiation"]
    """
    The session's status after this.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class ScheduleRequestedItem(TypedDict):
    """
    A member with a paid Transaction asked for a session (R1, R2). Notifier tells the practitioner (R3), who must
    answer by `respond_by` (R4).
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data10
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.ScheduleRequested.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class Data11(TypedDict):
    ends_at: NotRequired[str]
    """
    When the session ends, as scheduled.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    previous_status: Literal["pending_negotiation", "scheduled"]
    """
    The session's status before.
    """
    reason_code: CancelReason
    """
    Why.
    """
    reason_id: NotRequired[str]
    """
    Where the reason's words are kept, apart and erasable; absent if there are none.
    """
    schedule_version: int
    """
    0 before the first schedule, then one more by every change of it.
    """
    session_id: str
    """
    The session.
    """
    starts_at: NotRequired[str]
    """
    When the session begins, as scheduled.
    """
    status: Literal["canceled"]
    """
    The session's status after this.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class SessionCanceledItem(TypedDict):
    """
    The member or the practitioner canceled with a reason (S5). Notifier tells the other side, the calendar marks the
    session as canceled (C1), the member may request again (R2).
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data11
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.SessionCanceled.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class SessionCancellation(TypedDict, closed=True):
    """
    S5: why, as a code that goes with who cancels, and in words.
    """

    reason: str
    reason_code: CancelReason


SessionCommand: TypeAlias = Literal[
    "schedule", "reschedule", "start", "upload_result", "replace_result", "cancel", "fail"
]


class SessionConflict(TypedDict):
    """
    A session in the way.
    """

    ends_at: str
    session_id: str
    starts_at: str


SessionEventType: TypeAlias = Literal[
    "ScheduleRequested",
    "SessionScheduled",
    "SessionRescheduled",
    "PractitionerChanged",
    "SessionStarted",
    "ResultUploaded",
    "ResultReplaced",
    "SessionCanceled",
    "SessionFailed",
]


class Data12(TypedDict):
    ends_at: NotRequired[str]
    """
    When the session ends, as scheduled.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    previous_status: Literal["pending_negotiation", "scheduled", "on_progress"]
    """
    The session's status before.
    """
    reason_code: FailReason
    """
    Why.
    """
    reason_id: NotRequired[str]
    """
    Where the reason's words are kept, apart and erasable; absent if there are none.
    """
    schedule_version: int
    """
    0 before the first schedule, then one more by every change of it.
    """
    session_id: str
    """
    The session.
    """
    starts_at: NotRequired[str]
    """
    When the session begins, as scheduled.
    """
    status: Literal["failed"]
    """
    The session's status after this.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class SessionFailedItem(TypedDict):
    """
    An admin failed the session, or the system did: no answer in time (R4), or the payment was reversed (P5). Notifier
    tells both, the calendar marks the session as failed (C1), the member may request again (R2).
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data12
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.SessionFailed.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class SessionFailure(TypedDict, closed=True):
    """
    S5: why, as an admin's code, and in words.
    """

    reason: str
    reason_code: AdminFailReason


class SessionHistoryItem(TypedDict):
    """
    One event of a session.
    """

    actor: str
    data: dict[str, Any]
    erased: list[str]
    occurred_at: str
    reason: str | None
    type: SessionEventType
    version: int


class SessionHistoryItemPage(TypedDict):
    items: list[SessionHistoryItem]
    next_cursor: NotRequired[str | None]


class SessionLeftItem(TypedDict):
    """
    The session went to another practitioner: it is yours no more.
    """

    data: LeftSession
    id: str
    """
    The event's.
    """
    timestamp: str
    type: Literal["session_left"]
    version: int


SessionReason: TypeAlias = Literal[
    "canceled_by_member",
    "canceled_by_practitioner",
    "other",
    "technical",
    "no_show_member",
    "no_show_practitioner",
    "practitioner_timeout",
    "payment_reversed",
]


class SessionRequest(TypedDict, closed=True):
    """
    R1: which Transaction, and perhaps which assessment it is about.
    """

    assessment_id: NotRequired[str | None]
    transaction_id: str


class Previous1(TypedDict):
    """
    What was given up.
    """

    ends_at: str
    meeting_link: str
    starts_at: str


class Data13(TypedDict):
    ends_at: str
    """
    When the session ends, as scheduled.
    """
    ends_next_day: bool
    """
    Whether `time_end` is on the day after `scheduled_date`.
    """
    fold: NotRequired[Literal[0, 1]]
    """
    Which of two equal wall clocks the start is, where clocks went back (0 first, 1 second).
    """
    fold_end: NotRequired[Literal[0, 1]]
    """
    The same of the end.
    """
    meeting_link: str
    """
    Where the session takes place.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    previous: Previous1
    """
    What was given up.
    """
    schedule_version: int
    """
    0 before the first schedule, then one more by every change of it.
    """
    scheduled_date: str
    """
    The day of the start, in `timezone`.
    """
    session_id: str
    """
    The session.
    """
    starts_at: str
    """
    When the session begins, as scheduled.
    """
    status: Literal["scheduled"]
    """
    The session's status after this.
    """
    time_end: str
    """
    When it ends, as the practitioner gave it.
    """
    time_start: str
    """
    When it begins, as the practitioner gave it.
    """
    timezone: str
    """
    An IANA zone.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class SessionRescheduledItem(TypedDict):
    """
    The practitioner moved the session or changed its link (S5, S7). Notifier sends the new invitation and drops the
    old reminders (N4), the calendar moves the session.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data13
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.SessionRescheduled.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class SessionResult(TypedDict, closed=True):
    """
    A recording's link (S3), notes, or both; and when the meeting was over.
    """

    ended_at: NotRequired[str | None]
    """
    When the meeting was over, if that is to be known (S8). Left out, what was said before stays.
    """
    result_link: NotRequired[str | None]
    result_notes: NotRequired[str | None]


class SessionSchedule(TypedDict, closed=True):
    """
    S1: local date and times, the practitioner's zone unless another is named, and the meeting link (S3).
    """

    ends_next_day: NotRequired[bool]
    fold: NotRequired[Literal[0, 1] | None]
    """
    Which of two, where the zone has the time twice: 0 is the first.
    """
    fold_end: NotRequired[Literal[0, 1] | None]
    """
    The same for `time_end`. Left out, it is `fold`; where that would end before the start, 1.
    """
    meeting_link: str
    scheduled_date: str
    time_end: str
    time_start: str
    timezone: NotRequired[str | None]


class Data14(TypedDict):
    ends_at: str
    """
    When the session ends, as scheduled.
    """
    ends_next_day: bool
    """
    Whether `time_end` is on the day after `scheduled_date`.
    """
    fold: NotRequired[Literal[0, 1]]
    """
    Which of two equal wall clocks the start is, where clocks went back (0 first, 1 second).
    """
    fold_end: NotRequired[Literal[0, 1]]
    """
    The same of the end.
    """
    meeting_link: str
    """
    Where the session takes place.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    schedule_version: int
    """
    0 before the first schedule, then one more by every change of it.
    """
    scheduled_date: str
    """
    The day of the start, in `timezone`.
    """
    session_id: str
    """
    The session.
    """
    starts_at: str
    """
    When the session begins, as scheduled.
    """
    status: Literal["scheduled"]
    """
    The session's status after this.
    """
    time_end: str
    """
    When it ends, as the practitioner gave it.
    """
    time_start: str
    """
    When it begins, as the practitioner gave it.
    """
    timezone: str
    """
    An IANA zone.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class SessionScheduledItem(TypedDict):
    """
    The practitioner set date, time and meeting link (S1 to S4). Notifier invites the member and sets the reminders,
    the calendar shows the session.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data14
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.SessionScheduled.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class Data15(TypedDict):
    practitioner_id: str
    """
    The practitioner.
    """
    session_id: str
    """
    The session.
    """
    started_at: str
    """
    When the session was started.
    """
    status: Literal["on_progress"]
    """
    The session's status after this.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class SessionStartedItem(TypedDict):
    """
    The practitioner flagged the session as running, or the system did at its start time where the product says so.
    Checkout refuses reassignment from now on (P2).
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data15
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.consultation.SessionStarted.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class SessionStartedProblem(TypedDict):
    """
    409 `session_started`.
    """

    code: Literal["session_started"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:session_started"]


SessionStatus: TypeAlias = Literal["pending_negotiation", "scheduled", "on_progress", "completed", "canceled", "failed"]


class SessionSummary(TypedDict):
    """
    How many sessions are open. Together the three are all that are.
    """

    overdue: int
    """
    Their time is over, and there is neither a result nor an end.
    """
    upcoming: int
    """
    With a time that is not over yet.
    """
    waiting: int
    """
    For the practitioner's time (`pending_negotiation`).
    """


class SessionWrongStatusProblem(TypedDict):
    """
    409 `wrong_status`. The status that refuses it, and what the caller may do in it.
    """

    allowed_commands: list[SessionCommand]
    code: Literal["wrong_status"]
    current_status: SessionStatus
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:wrong_status"]


SettlementOutcome: TypeAlias = Literal["refund", "dismiss"]


class SoldProduct(TypedDict):
    duration_minutes: int
    id: str
    kind: ProductKind
    name: str
    tier: str


class StaleVersionProblem(TypedDict):
    """
    412 `stale_version`. The version that there is now, where it is known.
    """

    code: Literal["stale_version"]
    current_version: NotRequired[int | None]
    detail: str
    instance: str
    status: Literal[412]
    title: str
    type: Literal["urn:booking:problem:stale_version"]


class StreamReady(TypedDict):
    """
    The first item. `resumed`: what was missed follows; else read what you show, once.
    """

    resumed: bool
    type: Literal["ready"]


class StreamRefresh(TypedDict):
    """
    More was missed than is told one by one: read again what you show.
    """

    type: Literal["refresh"]


class StreamTicket(TypedDict):
    """
    Opens the stream once, with the rights of the token that it was made with.
    """

    expires_at: str
    """
    60 seconds after it was made.
    """
    ticket: str


class TicketExpiredProblem(TypedDict):
    """
    401 `ticket_expired`.
    """

    code: Literal["ticket_expired"]
    detail: str
    instance: str
    status: Literal[401]
    title: str
    type: Literal["urn:booking:problem:ticket_expired"]


class TicketUsedProblem(TypedDict):
    """
    401 `ticket_used`.
    """

    code: Literal["ticket_used"]
    detail: str
    instance: str
    status: Literal[401]
    title: str
    type: Literal["urn:booking:problem:ticket_used"]


class TimeoutProblem(TypedDict):
    """
    408 `timeout`.
    """

    code: Literal["timeout"]
    detail: str
    instance: str
    status: Literal[408]
    title: str
    type: Literal["urn:booking:problem:timeout"]


class TooLargeProblem(TypedDict):
    """
    413 `too_large`.
    """

    code: Literal["too_large"]
    detail: str
    instance: str
    status: Literal[413]
    title: str
    type: Literal["urn:booking:problem:too_large"]


class TooManyEndpointsProblem(TypedDict):
    """
    409 `too_many_endpoints`.
    """

    code: Literal["too_many_endpoints"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:too_many_endpoints"]


class TooManyFeedsProblem(TypedDict):
    """
    409 `too_many_feeds`.
    """

    code: Literal["too_many_feeds"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:too_many_feeds"]


class TooManyUnpaidProblem(TypedDict):
    """
    409 `too_many_unpaid`.
    """

    code: Literal["too_many_unpaid"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:too_many_unpaid"]


class Data16(TypedDict):
    practitioner_id: str
    """
    The practitioner.
    """
    reason_id: NotRequired[str]
    """
    Where the reason's words are kept, apart and erasable; absent if there are none.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class TransactionCanceledItem(TypedDict):
    """
    The member or an admin canceled before payment (P3). No service reacts; a later payment becomes a review.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data16
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.TransactionCanceled.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class TransactionCancellation(TypedDict, closed=True):
    reason: NotRequired[str | None]


class Price1(TypedDict):
    """
    What it costs, as sold.
    """

    amount: int
    currency: str


class Product1(TypedDict):
    """
    What was sold, as it was then.
    """

    duration_minutes: int
    id: str
    kind: ProductKind
    name: str
    tier: str


class Data17(TypedDict):
    auto_start: bool
    """
    Whether the session starts by itself at its start time.
    """
    expires_at: str
    """
    Until when it can be paid.
    """
    practitioner_id: NotRequired[str]
    """
    The practitioner.
    """
    price: Price1
    """
    What it costs, as sold.
    """
    product: Product1
    """
    What was sold, as it was then.
    """
    provider: str
    """
    The payment provider. Open: expect names that are not known yet.
    """
    reference: str
    """
    The order at the payment provider.
    """
    request_limit_minutes: int
    """
    How long the practitioner has to answer a request.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class TransactionCreatedItem(TypedDict):
    """
    A member chose a product; price and limits are copied into the sale (P1). Consultation learns of the Transaction;
    no practitioner is set yet, `PractitionerAssigned` follows at once.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data17
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.TransactionCreated.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


TransactionEventType: TypeAlias = Literal[
    "TransactionCreated",
    "PractitionerAssigned",
    "PractitionerReassigned",
    "TransactionPaid",
    "PaymentDeclined",
    "PaymentNeedsReview",
    "PaymentReviewSettled",
    "TransactionExpired",
    "TransactionCanceled",
    "RefundRequested",
    "TransactionRefunded",
    "RefundFailed",
]


class Data18(TypedDict):
    expires_at: str
    """
    Until when it can be paid.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class TransactionExpiredItem(TypedDict):
    """
    Nobody paid in time, and the provider confirmed that (P3). Notifier tells the member.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data18
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.TransactionExpired.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class TransactionHistoryItem(TypedDict):
    """
    One thing that happened. `reason` is somebody's words; once erased it is null and named in `erased`.
    """

    actor: str
    data: dict[str, Any]
    erased: NotRequired[list[str]]
    occurred_at: str
    reason: NotRequired[str | None]
    type: TransactionEventType
    version: int


class TransactionHistoryItemPage(TypedDict):
    items: list[TransactionHistoryItem]
    next_cursor: NotRequired[str | None]


class TransactionNotPaidProblem(TypedDict):
    """
    409 `transaction_not_paid`.
    """

    code: Literal["transaction_not_paid"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:transaction_not_paid"]


class Amount2(TypedDict):
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """

    amount: int
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """
    currency: str
    """
    ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
    """


class Data19(TypedDict):
    amount: Amount2
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """
    auto_start: bool
    """
    Whether the session starts by itself at its start time.
    """
    kind: ProductKind
    """
    What was bought.
    """
    paid_at: str
    """
    When checkout took the provider's notification, not when the money moved.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    provider: str
    """
    The payment provider. Open: expect names that are not known yet.
    """
    provider_payment_id: str
    """
    The payment at its provider.
    """
    request_limit_minutes: int
    """
    How long the practitioner has to answer a request.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class TransactionPaidItem(TypedDict):
    """
    The provider's verified notification for the exact amount and currency arrived (P4). Consultation lets the member
    request a session; notifier tells the member.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data19
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.TransactionPaid.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class Amount3(TypedDict):
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """

    amount: int
    currency: str


class Data20(TypedDict):
    amount: Amount3
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """
    auto_start: bool
    """
    Whether the session starts by itself at its start time.
    """
    kind: ProductKind
    """
    What was bought.
    """
    paid_at: str
    """
    When checkout took the provider's notification, not when the money moved.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    provider: str
    """
    The payment provider. Open: expect names that are not known yet.
    """
    provider_payment_id: str
    """
    The payment at its provider.
    """
    request_limit_minutes: int
    """
    How long the practitioner has to answer a request.
    """
    settled_at: str
    """
    When the money came, by the provider's clock; not before the sale, nor after `paid_at`.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class TransactionPaidV2Item(TypedDict):
    """
    The provider's verified notification for the exact amount and currency arrived (P4). Consultation lets the member
    request a session; notifier tells the member. Revenue belongs to the day of `settled_at`. Version 1 had none: read
    as `paid_at`, the best that is known of it.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data20
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.TransactionPaid.v2"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class Data21(TypedDict):
    amount: Amount3
    """
    How much, a whole number of the currency's smallest unit here (`x-decimals`).
    """
    practitioner_id: str
    """
    The practitioner.
    """
    provider_refund_id: NotRequired[str]
    """
    The refund at its provider; absent where it gives none.
    """
    refund_id: str
    """
    The refund.
    """
    review_id: NotRequired[str]
    """
    The payment review; absent if the money belongs to none.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class TransactionRefundedItem(TypedDict):
    """
    The provider gave the money back (P5). Notifier tells the member.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data21
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.TransactionRefunded.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class TransactionSession(TypedDict):
    """
    The session on a Transaction, as consultation has told of it; consultation itself may be a moment ahead.
    """

    id: str
    status: Literal["pending_negotiation", "scheduled", "on_progress", "completed", "canceled", "failed"]


TransactionStatus: TypeAlias = Literal["awaiting_payment", "paid", "refunded", "expired", "canceled"]


class TransactionUsedProblem(TypedDict):
    """
    409 `transaction_used`. The session that is there already.
    """

    code: Literal["transaction_used"]
    detail: str
    instance: str
    session_id: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:transaction_used"]


class TransactionWrongStatusProblem(TypedDict):
    """
    409 `wrong_status`. The status that refuses it.
    """

    code: Literal["wrong_status"]
    current_status: TransactionStatus
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:wrong_status"]


class UnauthorizedProblem(TypedDict):
    """
    401 `unauthorized`.
    """

    code: Literal["unauthorized"]
    detail: str
    instance: str
    status: Literal[401]
    title: str
    type: Literal["urn:booking:problem:unauthorized"]


class UnavailableProblem(TypedDict):
    """
    503 `unavailable`.
    """

    code: Literal["unavailable"]
    detail: str
    instance: str
    status: Literal[503]
    title: str
    type: Literal["urn:booking:problem:unavailable"]


class UnsupportedMediaTypeProblem(TypedDict):
    """
    415 `unsupported_media_type`.
    """

    code: Literal["unsupported_media_type"]
    detail: str
    instance: str
    status: Literal[415]
    title: str
    type: Literal["urn:booking:problem:unsupported_media_type"]


class WebhookAttempt(TypedDict):
    """
    One try. Without an end: it is under way, or its process died.
    """

    ended_at: str | None
    number: int
    reason: str | None
    started_at: str
    status_code: int | None


class WebhookDelivery(TypedDict):
    """
    One event for one endpoint, and what became of it.
    """

    attempts: int
    created_at: str
    delivered_at: str | None
    endpoint_id: str
    id: str
    next_attempt_at: str | None
    """
    While it is `pending`.
    """
    reason: str | None
    """
    Of the last try: `http_500`, `timeout`, `unreachable`, ...
    """
    status: Literal["pending", "sending", "delivered", "failed"]
    status_code: int | None
    """
    What the receiver answered last.
    """
    type: str
    version: int
    webhook_id: str
    """
    The event's id: the `webhook-id` header of every try.
    """


class WebhookDeliveryPage(TypedDict):
    items: list[WebhookDelivery]
    next_cursor: NotRequired[str | None]


class WebhookDeliveryWithAttempts(TypedDict):
    """
    A delivery with its tries, the newest first, a hundred at most.
    """

    attempts: int
    created_at: str
    delivered_at: str | None
    endpoint_id: str
    id: str
    log: list[WebhookAttempt]
    next_attempt_at: str | None
    """
    While it is `pending`.
    """
    reason: str | None
    """
    Of the last try: `http_500`, `timeout`, `unreachable`, ...
    """
    status: Literal["pending", "sending", "delivered", "failed"]
    status_code: int | None
    """
    What the receiver answered last.
    """
    type: str
    version: int
    webhook_id: str
    """
    The event's id: the `webhook-id` header of every try.
    """


class WebhookDeliveryWrongStatusProblem(TypedDict):
    """
    409 `wrong_status`. How far the delivery is.
    """

    code: Literal["wrong_status"]
    current_status: Literal["pending", "sending", "delivered", "failed"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:wrong_status"]


class WebhookEndpointWrongStatusProblem(TypedDict):
    """
    409 `wrong_status`. What the endpoint is.
    """

    code: Literal["wrong_status"]
    current_status: Literal["enabled", "disabled"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:wrong_status"]


WebhookEventType: TypeAlias = Literal[
    "com.booking.checkout.TransactionCreated.v1",
    "com.booking.checkout.PractitionerAssigned.v1",
    "com.booking.checkout.PractitionerReassigned.v1",
    "com.booking.checkout.TransactionPaid.v1",
    "com.booking.checkout.TransactionPaid.v2",
    "com.booking.checkout.PaymentDeclined.v1",
    "com.booking.checkout.PaymentNeedsReview.v1",
    "com.booking.checkout.PaymentReviewSettled.v1",
    "com.booking.checkout.TransactionExpired.v1",
    "com.booking.checkout.TransactionCanceled.v1",
    "com.booking.checkout.RefundRequested.v1",
    "com.booking.checkout.TransactionRefunded.v1",
    "com.booking.checkout.RefundFailed.v1",
    "com.booking.consultation.ScheduleRequested.v1",
    "com.booking.consultation.SessionScheduled.v1",
    "com.booking.consultation.SessionRescheduled.v1",
    "com.booking.consultation.PractitionerChanged.v1",
    "com.booking.consultation.SessionStarted.v1",
    "com.booking.consultation.ResultUploaded.v1",
    "com.booking.consultation.ResultReplaced.v1",
    "com.booking.consultation.SessionCanceled.v1",
    "com.booking.consultation.SessionFailed.v1",
    "com.booking.directory.PersonErased.v1",
]
"""
The kinds of event that can be subscribed to, by their CloudEvents types (docs/events.md).
"""


WordsLocale: TypeAlias = Literal["id", "en"]


class CalendarEvent(TypedDict):
    """
    One session; `start` and `end` are null while it waits for a new practitioner's time.

    The names are those of calendar components; what theirs has no name for, they hand through unread.
    """

    end: str | None
    id: str
    """
    The session's.
    """
    meeting_link: str | None
    member_name: str | None
    practitioner_id: str
    practitioner_name: str | None
    schedule_version: int
    scheduled_date: str | None
    start: str | None
    status: SessionStatus
    time_end: str | None
    time_start: str | None
    timezone: str | None
    title: str
    transaction_id: str
    user_id: str
    version: int


class CalendarEventPage(TypedDict):
    items: list[CalendarEvent]
    next_cursor: NotRequired[str | None]


class FieldError(TypedDict):
    """
    One thing that is wrong with a request.
    """

    code: FieldErrorCode
    detail: str
    pointer: str
    """
    A JSON pointer (RFC 6901) into the body; `?name`, `path:name`, `header:name`.
    """


class InvalidCursorProblem(TypedDict):
    """
    422 `invalid_cursor`. Where a request is wrong, and how.
    """

    code: Literal["invalid_cursor"]
    detail: str
    errors: list[FieldError]
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_cursor"]


class InvalidLinkProblem(TypedDict):
    """
    422 `invalid_link`. Where a request is wrong, and how.
    """

    code: Literal["invalid_link"]
    detail: str
    errors: list[FieldError]
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_link"]


class InvalidReasonProblem(TypedDict):
    """
    422 `invalid_reason`. Where a request is wrong, and how.
    """

    code: Literal["invalid_reason"]
    detail: str
    errors: list[FieldError]
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_reason"]


class InvalidRequestProblem(TypedDict):
    """
    422 `invalid_request`. Where a request is wrong, and how.
    """

    code: Literal["invalid_request"]
    detail: str
    errors: list[FieldError]
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_request"]


class InvalidTimeProblem(TypedDict):
    """
    422 `invalid_time`. Where a request is wrong, and how.
    """

    code: Literal["invalid_time"]
    detail: str
    errors: list[FieldError]
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:invalid_time"]


class NewWebhookEndpoint(TypedDict, closed=True):
    """
    Which events are posted where.
    """

    description: NotRequired[str | None]
    event_types: list[WebhookEventType]
    url: str
    """
    Where deliveries are posted: https, on the public internet.
    """


class Notification(TypedDict):
    """
    One message: what caused it, to whom, how, and what became of it. No contact data.
    """

    attempts: int
    cause_event_id: str
    changed_at: str
    channel: NotificationChannel
    delivered_at: str | None
    due_at: str
    id: str
    locale: WordsLocale
    provider_message_id: str | None
    reason: str | None
    recipient_id: str
    session_id: str | None
    status: NotificationStatus
    template: NotificationTemplate
    transaction_id: str | None
    version: int


class NotificationPage(TypedDict):
    items: list[Notification]
    next_cursor: NotRequired[str | None]


class OverlapProblem(TypedDict):
    """
    409 `overlap`. Whose time is taken, and by which of the sessions that the caller may see.
    """

    code: Literal["overlap"]
    conflicts: list[SessionConflict]
    detail: str
    instance: str
    party: Literal["practitioner", "member", "both"]
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:overlap"]


class PaymentReview(TypedDict):
    """
    `transaction_id` and `expected` are null where the money names no Transaction that we know.

    `received` came in by this payment, `returned` is known to have gone back of it; `refundable` is what settling it by
    refund gives back: null for nothing, or where nobody here can know.
    """

    cause: ReviewCause
    created_at: str
    direction: MoneyDirection
    """
    `in`: money came that fits nothing. `out`: money left, or the provider contradicts itself.
    """
    expected: Money | None
    id: str
    outcome: ReviewOutcome | None
    provider: str
    provider_payment_id: str
    received: Money | None
    reference: str
    refundable: Money | None
    returned: Money | None
    status: ReviewStatus
    transaction_id: str | None
    version: int


class PaymentReviewPage(TypedDict):
    items: list[PaymentReview]
    next_cursor: NotRequired[str | None]


class Data3(TypedDict):
    kind: ProductKind
    """
    What was bought.
    """
    practitioner_id: str
    """
    The practitioner.
    """
    product_id: str
    """
    The product.
    """
    tier: str
    """
    The class of product and practitioner. Open: expect names that are not known yet.
    """
    transaction_id: str
    """
    The purchase.
    """
    user_id: str
    """
    The member.
    """


class PractitionerAssignedItem(TypedDict):
    """
    The member's chosen practitioner was locked into the Transaction (P2). Consultation notes the pair.
    """

    consistency_token: str
    """
    For `Consistency-Token` where you read on: that service waits until it has this version.
    """
    data: Data3
    id: str
    """
    The event's, as a webhook's `webhook-id`: a copy has the same.
    """
    timestamp: str
    """
    When it happened.
    """
    type: Literal["com.booking.checkout.PractitionerAssigned.v1"]
    version: int
    """
    The Transaction's or session's after it: leave out what is older than yours.
    """


class Product(TypedDict):
    active: bool
    auto_start: bool
    duration_minutes: int
    id: str
    kind: ProductKind
    name: str
    payment_ttl_minutes: int
    price: Money
    request_limit_minutes: int
    tier: str
    version: int


class ProductDefinition(TypedDict, closed=True):
    """
    A product as an admin sets it; the whole of it.
    """

    active: NotRequired[bool]
    auto_start: NotRequired[bool]
    duration_minutes: NotRequired[int]
    kind: ProductKind
    name: str
    payment_ttl_minutes: NotRequired[int]
    """
    Time to pay (P3).
    """
    price: Price
    request_limit_minutes: NotRequired[int]
    """
    Time for the practitioner to answer (R4).
    """
    tier: str


class ProductPage(TypedDict):
    items: list[Product]
    next_cursor: NotRequired[str | None]


class Refund(TypedDict):
    amount: Money
    id: str
    requested_at: str
    settled_at: str | None
    status: RefundStatus


class RefundInProgressProblem(TypedDict):
    """
    409 `refund_in_progress`. The status while its money is being returned.
    """

    code: Literal["refund_in_progress"]
    current_status: TransactionStatus
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:refund_in_progress"]


class ReturnUrlNotAllowedProblem(TypedDict):
    """
    422 `return_url_not_allowed`. Where a request is wrong, and how.
    """

    code: Literal["return_url_not_allowed"]
    detail: str
    errors: list[FieldError]
    instance: str
    status: Literal[422]
    title: str
    type: Literal["urn:booking:problem:return_url_not_allowed"]


class ReviewSettlement(TypedDict, closed=True):
    outcome: SettlementOutcome
    reason: str


class Session(TypedDict):
    """
    A session. `erased` names what is null because it was erased (E5), not because it never was.
    """

    allowed_commands: list[SessionCommand]
    """
    What its lifecycle allows the caller to do to it now; empty with `as_of`.
    """
    assessment_id: str | None
    duration_minutes: int | None
    """
    As it was sold; null as above.
    """
    ended_at: str | None
    """
    When the meeting was over, if the practitioner said so (S8).
    """
    ends_at: str | None
    ends_next_day: bool | None
    erased: list[str]
    fold: int | None
    fold_end: int | None
    id: str
    kind: ProductKind
    meeting_link: str | None
    member_name: str | None
    practitioner_id: str
    practitioner_name: str | None
    product_name: str | None
    """
    As it was sold; null where the sale is not known here.
    """
    reason: str | None
    reason_code: SessionReason | None
    requested_at: str
    respond_by: str
    result_link: str | None
    result_notes: str | None
    schedule_version: int
    scheduled_date: str | None
    started_at: str | None
    starts_at: str | None
    status: SessionStatus
    time_end: str | None
    time_start: str | None
    timezone: str | None
    transaction_id: str
    user_id: str
    version: int
    whatsapp_url: str | None
    """
    Opens a chat with the practitioner: for the member, while the session is `pending_negotiation`.
    """


class SessionPage(TypedDict):
    items: list[Session]
    next_cursor: NotRequired[str | None]


StreamItem: TypeAlias = (
    StreamReady
    | TransactionCreatedItem
    | PractitionerAssignedItem
    | PractitionerReassignedItem
    | TransactionPaidItem
    | TransactionPaidV2Item
    | PaymentDeclinedItem
    | PaymentNeedsReviewItem
    | PaymentReviewSettledItem
    | TransactionExpiredItem
    | TransactionCanceledItem
    | RefundRequestedItem
    | TransactionRefundedItem
    | RefundFailedItem
    | ScheduleRequestedItem
    | SessionScheduledItem
    | SessionRescheduledItem
    | PractitionerChangedItem
    | SessionStartedItem
    | ResultUploadedItem
    | ResultReplacedItem
    | SessionCanceledItem
    | SessionFailedItem
    | SessionLeftItem
    | StreamRefresh
)
"""
One item of the stream, told apart by `type`. More types may come: leave out what you don't know.
"""


class Transaction(TypedDict):
    """
    A sale: one member, one product, one practitioner.
    """

    allowed_commands: list[Literal["cancel", "refund", "reassign"]]
    """
    What the caller may do to it now, as far as its status tells; empty with `as_of`.
    """
    created_at: str
    erased: NotRequired[list[str]]
    """
    What is null because it was erased (E5).
    """
    id: str
    member_name: str | None
    paid_at: str | None
    payment: Payment
    practitioner_id: str
    practitioner_name: str | None
    price: Money
    product: SoldProduct
    refund: Refund | None
    session: TransactionSession | None
    """
    The one that has begun, else the latest that was requested. Null with `as_of`.
    """
    status: TransactionStatus
    user_id: str
    version: int


class TransactionPage(TypedDict):
    items: list[Transaction]
    next_cursor: NotRequired[str | None]


class WebhookEndpoint(TypedDict):
    """
    An endpoint as it is, without its secrets.
    """

    created_at: str
    description: str | None
    disabled_at: str | None
    disabled_reason: Literal["by_admin", "failing", "gone"] | None
    """
    `failing`: nothing got through for three days; `gone`: it answered 410.
    """
    event_types: list[WebhookEventType]
    failing_since: str | None
    """
    The first try after which none got through; null while all is well.
    """
    id: str
    previous_secret_until: str | None
    """
    Until then the secret before this one signs too.
    """
    status: Literal["enabled", "disabled"]
    url: str
    version: int


class WebhookEndpointChange(TypedDict, closed=True):
    """
    What an endpoint is from now on, the whole of it. `disabled`: what is due waits until it is enabled again.
    """

    description: NotRequired[str | None]
    event_types: list[WebhookEventType]
    status: Literal["enabled", "disabled"]
    url: str
    """
    Where deliveries are posted: https, on the public internet.
    """


class WebhookEndpointPage(TypedDict):
    items: list[WebhookEndpoint]
    next_cursor: NotRequired[str | None]


class WebhookEndpointWithSecret(TypedDict):
    """
    An endpoint with its new secret, which no other answer shows.
    """

    created_at: str
    description: str | None
    disabled_at: str | None
    disabled_reason: Literal["by_admin", "failing", "gone"] | None
    """
    `failing`: nothing got through for three days; `gone`: it answered 410.
    """
    event_types: list[WebhookEventType]
    failing_since: str | None
    """
    The first try after which none got through; null while all is well.
    """
    id: str
    previous_secret_until: str | None
    """
    Until then the secret before this one signs too.
    """
    secret: str
    status: Literal["enabled", "disabled"]
    url: str
    version: int
