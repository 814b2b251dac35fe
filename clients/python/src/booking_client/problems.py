# Generated of docs/openapi.json by `make generate`.

"""Why calls are refused: a class for each code."""

from collections.abc import Mapping
from typing import Any

import httpx2

from booking_client import models
from booking_client.refusals import Refused


class ActiveSessionExists(Refused[models.ActiveSessionExistsProblem]):
    """`active_session_exists`."""


class AlreadySettled(Refused[models.AlreadySettledProblem]):
    """`already_settled`."""


class BadRequest(Refused[models.BadRequestProblem]):
    """`bad_request`."""


class ChangedMeanwhile(Refused[models.ChangedMeanwhileProblem]):
    """`changed_meanwhile`."""


class DatabaseUnavailable(Refused[models.DatabaseUnavailableProblem]):
    """`database_unavailable`."""


class Forbidden(Refused[models.ForbiddenProblem]):
    """`forbidden`."""


class IdempotencyKeyReused(Refused[models.IdempotencyKeyReusedProblem]):
    """`idempotency_key_reused`."""


class IdentityUnavailable(Refused[models.IdentityUnavailableProblem]):
    """`identity_unavailable`."""


class InternalError(Refused[models.InternalErrorProblem]):
    """`internal_error`."""


class InvalidConsistencyToken(Refused[models.InvalidConsistencyTokenProblem]):
    """`invalid_consistency_token`."""


class InvalidCursor(Refused[models.InvalidCursorProblem]):
    """`invalid_cursor`."""


class InvalidIdempotencyKey(Refused[models.InvalidIdempotencyKeyProblem]):
    """`invalid_idempotency_key`."""


class InvalidLink(Refused[models.InvalidLinkProblem]):
    """`invalid_link`."""


class InvalidReason(Refused[models.InvalidReasonProblem]):
    """`invalid_reason`."""


class InvalidRequest(Refused[models.InvalidRequestProblem]):
    """`invalid_request`."""


class InvalidText(Refused[models.InvalidTextProblem]):
    """`invalid_text`."""


class InvalidTicket(Refused[models.InvalidTicketProblem]):
    """`invalid_ticket`."""


class InvalidTime(Refused[models.InvalidTimeProblem]):
    """`invalid_time`."""


class InvalidValue(Refused[models.InvalidValueProblem]):
    """`invalid_value`."""


class MalformedJson(Refused[models.MalformedJsonProblem]):
    """`malformed_json`."""


class NotFound(Refused[models.NotFoundProblem]):
    """`not_found`."""


class NotRefundable(Refused[models.NotRefundableProblem]):
    """`not_refundable`."""


class NotYetVisible(Refused[models.NotYetVisibleProblem]):
    """`not_yet_visible`."""


class NumberTooLarge(Refused[models.NumberTooLargeProblem]):
    """`number_too_large`."""


class OtherOwner(Refused[models.OtherOwnerProblem]):
    """`other_owner`."""


class Overlap(Refused[models.OverlapProblem]):
    """`overlap`."""


class OwnPractitioner(Refused[models.OwnPractitionerProblem]):
    """`own_practitioner`."""


class PersonErased(Refused[models.PersonErasedProblem]):
    """`person_erased`."""


class PractitionerNotAvailable(Refused[models.PractitionerNotAvailableProblem]):
    """`practitioner_not_available`."""


class PreconditionRequired(Refused[models.PreconditionRequiredProblem]):
    """`precondition_required`."""


class ProductNotAvailable(Refused[models.ProductNotAvailableProblem]):
    """`product_not_available`."""


class RateLimited(Refused[models.RateLimitedProblem]):
    """`rate_limited`."""


class RefundInProgress(Refused[models.RefundInProgressProblem]):
    """`refund_in_progress`."""


class ReturnUrlNotAllowed(Refused[models.ReturnUrlNotAllowedProblem]):
    """`return_url_not_allowed`."""


class SamePractitioner(Refused[models.SamePractitionerProblem]):
    """`same_practitioner`."""


class SessionStarted(Refused[models.SessionStartedProblem]):
    """`session_started`."""


class StaleVersion(Refused[models.StaleVersionProblem]):
    """`stale_version`."""


class TicketExpired(Refused[models.TicketExpiredProblem]):
    """`ticket_expired`."""


class TicketUsed(Refused[models.TicketUsedProblem]):
    """`ticket_used`."""


class Timeout(Refused[models.TimeoutProblem]):
    """`timeout`."""


class TooLarge(Refused[models.TooLargeProblem]):
    """`too_large`."""


class TooManyEndpoints(Refused[models.TooManyEndpointsProblem]):
    """`too_many_endpoints`."""


class TooManyFeeds(Refused[models.TooManyFeedsProblem]):
    """`too_many_feeds`."""


class TooManyUnpaid(Refused[models.TooManyUnpaidProblem]):
    """`too_many_unpaid`."""


class TransactionNotPaid(Refused[models.TransactionNotPaidProblem]):
    """`transaction_not_paid`."""


class TransactionUsed(Refused[models.TransactionUsedProblem]):
    """`transaction_used`."""


class Unauthorized(Refused[models.UnauthorizedProblem]):
    """`unauthorized`."""


class Unavailable(Refused[models.UnavailableProblem]):
    """`unavailable`."""


class UnsupportedMediaType(Refused[models.UnsupportedMediaTypeProblem]):
    """`unsupported_media_type`."""


class WrongStatus(
    Refused[
        models.NotificationWrongStatusProblem
        | models.SessionWrongStatusProblem
        | models.TransactionWrongStatusProblem
        | models.WebhookDeliveryWrongStatusProblem
        | models.WebhookEndpointWrongStatusProblem
    ]
):
    """`wrong_status`."""


BY_CODE: Mapping[str, type[Refused[Any]]] = {
    "active_session_exists": ActiveSessionExists,
    "already_settled": AlreadySettled,
    "bad_request": BadRequest,
    "changed_meanwhile": ChangedMeanwhile,
    "database_unavailable": DatabaseUnavailable,
    "forbidden": Forbidden,
    "idempotency_key_reused": IdempotencyKeyReused,
    "identity_unavailable": IdentityUnavailable,
    "internal_error": InternalError,
    "invalid_consistency_token": InvalidConsistencyToken,
    "invalid_cursor": InvalidCursor,
    "invalid_idempotency_key": InvalidIdempotencyKey,
    "invalid_link": InvalidLink,
    "invalid_reason": InvalidReason,
    "invalid_request": InvalidRequest,
    "invalid_text": InvalidText,
    "invalid_ticket": InvalidTicket,
    "invalid_time": InvalidTime,
    "invalid_value": InvalidValue,
    "malformed_json": MalformedJson,
    "not_found": NotFound,
    "not_refundable": NotRefundable,
    "not_yet_visible": NotYetVisible,
    "number_too_large": NumberTooLarge,
    "other_owner": OtherOwner,
    "overlap": Overlap,
    "own_practitioner": OwnPractitioner,
    "person_erased": PersonErased,
    "practitioner_not_available": PractitionerNotAvailable,
    "precondition_required": PreconditionRequired,
    "product_not_available": ProductNotAvailable,
    "rate_limited": RateLimited,
    "refund_in_progress": RefundInProgress,
    "return_url_not_allowed": ReturnUrlNotAllowed,
    "same_practitioner": SamePractitioner,
    "session_started": SessionStarted,
    "stale_version": StaleVersion,
    "ticket_expired": TicketExpired,
    "ticket_used": TicketUsed,
    "timeout": Timeout,
    "too_large": TooLarge,
    "too_many_endpoints": TooManyEndpoints,
    "too_many_feeds": TooManyFeeds,
    "too_many_unpaid": TooManyUnpaid,
    "transaction_not_paid": TransactionNotPaid,
    "transaction_used": TransactionUsed,
    "unauthorized": Unauthorized,
    "unavailable": Unavailable,
    "unsupported_media_type": UnsupportedMediaType,
    "wrong_status": WrongStatus,
}


def refusal(problem: Mapping[str, Any], headers: httpx2.Headers) -> Refused[Any]:
    """Of its code's class; of Refused itself where the code is newer than this client."""
    return BY_CODE.get(problem["code"], Refused)(problem, headers)
