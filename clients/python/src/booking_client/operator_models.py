# Generated of docs/openapi-operators.json by `make generate`.

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


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


class BusyProblem(TypedDict):
    """
    503 `busy`.
    """

    code: Literal["busy"]
    detail: str
    instance: str
    status: Literal[503]
    title: str
    type: Literal["urn:booking:problem:busy"]


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


class Erasure(TypedDict):
    """
    `again_at`: when the tombstones are sent once more, so that Kafka may compact what was; null once they were.
    """

    again_at: str | None
    erased_at: str
    person_id: str


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


HeldOutcome: TypeAlias = Literal["applied", "superseded", "discarded"]


HeldReason: TypeAlias = Literal["gap", "undecodable", "failed"]


class HeldRecord(TypedDict):
    """
    A held record as lists show it.
    """

    attempts: int
    consumer: str
    error: str | None
    held_at: str
    id: str
    key: str | None
    offset: int
    outcome: HeldOutcome | None
    partition: int
    reason: HeldReason
    settled_at: str | None
    topic: str
    version: int | None


class HeldRecordPage(TypedDict):
    items: list[HeldRecord]
    next_cursor: NotRequired[str | None]


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


class InvalidSignatureProblem(TypedDict):
    """
    401 `invalid_signature`.
    """

    code: Literal["invalid_signature"]
    detail: str
    instance: str
    status: Literal[401]
    title: str
    type: Literal["urn:booking:problem:invalid_signature"]


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


class NothingToGoBackToProblem(TypedDict):
    """
    409 `nothing_to_go_back_to`.
    """

    code: Literal["nothing_to_go_back_to"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:nothing_to_go_back_to"]


class NotificationReceipt(TypedDict):
    """
    Stored; a repeat gets the same answer.
    """

    received: NotRequired[bool]


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


class ProjectionPosition(TypedDict):
    """
    One partition: the next offset to read, and where the topic ends.
    """

    end_offset: int
    next_offset: int
    partition: int
    topic: str


class ProjectionRebuild(TypedDict):
    """
    A generation in the making.
    """

    done: int
    eta_seconds: float | None
    events_per_second: float
    generation: int
    percent: float
    requested_by: str
    slot: str
    started_at: str
    total: int


ProjectionStatus: TypeAlias = Literal["live", "rebuilding"]


class ProjectionSwitch(TypedDict):
    """
    The last switch and what its comparison found.
    """

    comparison: dict[str, Any]
    requested_by: str
    switched_at: str


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


class RebuildRunningProblem(TypedDict):
    """
    409 `rebuild_running`.
    """

    code: Literal["rebuild_running"]
    detail: str
    instance: str
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:rebuild_running"]


class RebuildStart(TypedDict):
    """
    A rebuild that workers have in hand; watch it in `GET /v1/projections`.
    """

    generation: int
    name: str
    started_at: str


class RecordContent(TypedDict):
    """
    Bytes: as text where they are text, always as base64.
    """

    base64: str
    text: str | None


class RecordHeader(TypedDict):
    """
    One header of the record.
    """

    name: str
    value: RecordContent | None


class StillHeldProblem(TypedDict):
    """
    409 `still_held`. The record that must be settled first, which may be the one that was asked for, and what is wrong with it.
    """

    blocking: str
    code: Literal["still_held"]
    detail: str
    error: str | None
    instance: str
    reason: HeldReason
    status: Literal[409]
    title: str
    type: Literal["urn:booking:problem:still_held"]


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


class HeldRecordDetails(TypedDict):
    """
    A held record with its bytes.
    """

    attempts: int
    consumer: str
    error: str | None
    headers: list[RecordHeader]
    held_at: str
    id: str
    key: str | None
    offset: int
    outcome: HeldOutcome | None
    partition: int
    raw_key: RecordContent | None
    reason: HeldReason
    settled_at: str | None
    settled_by: str | None
    topic: str
    value: RecordContent | None
    version: int | None


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


class Projection(TypedDict):
    """
    One projection. `lag_seconds` is the age of the last event in the rows while others wait, else 0.
    """

    can_go_back_to: int | None
    generation: int
    held: dict[str, int]
    lag_events: int
    lag_seconds: float
    last_switch: ProjectionSwitch | None
    measured_at: str | None
    name: str
    positions: list[ProjectionPosition]
    rebuild: ProjectionRebuild | None
    slot: str
    status: ProjectionStatus


class ProjectionPage(TypedDict):
    items: list[Projection]
    next_cursor: NotRequired[str | None]
