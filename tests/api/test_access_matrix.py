"""Who may call what (T1, T7): the table below against every operation of the services' own documents.

A route without a row fails, and so does a row without a route. What a role may call, it may still not be allowed to do
to what is not its own: that is 404, and each service's own tests.
"""

from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as given_
from tests.api.service_under_test import MODULES, ROLES, ServiceUnderTest, offline

EVERYONE = frozenset(ROLES)
PERSONS = frozenset({"member", "practitioner", "admin"})
PARTIES = frozenset({"member", "practitioner"})
BUYERS = frozenset({"member", "admin"})
MEMBER = frozenset({"member"})
PRACTITIONER = frozenset({"practitioner"})
ADMIN = frozenset({"admin"})
PROOF = frozenset({"anonymous"})
"""By another proof than a token: a provider's signature, or a secret address."""

OPERATOR = {
    "list_held_records": ADMIN,
    "get_held_record": ADMIN,
    "replay_held_record": ADMIN,
    "discard_held_record": ADMIN,
}
MATRIX: dict[str, dict[str, frozenset[str]]] = {
    "checkout": OPERATOR
    | {
        "list_products": EVERYONE,
        "get_product": EVERYONE,
        "put_product": ADMIN,
        "list_practitioners": BUYERS,
        "list_practitioner_directory": BUYERS,
        "get_practitioner": EVERYONE,
        "get_practitioner_standing": frozenset({"practitioner", "admin"}),
        "put_practitioner": frozenset({"practitioner", "admin"}),
        "get_me": PERSONS,
        "put_me": PERSONS,
        "create_transaction": MEMBER,
        "list_transactions": BUYERS,
        "get_transaction": EVERYONE,
        "list_transaction_history": EVERYONE,
        "cancel_transaction": BUYERS,
        "refund_transaction": ADMIN,
        "reassign_transaction": ADMIN,
        "list_payment_reviews": ADMIN,
        "settle_payment_review": ADMIN,
        "notify_payment": PROOF,
        "put_erasure": ADMIN,
        "get_erasure": ADMIN,
    },
    "consultation": OPERATOR
    | {
        "request_session": MEMBER,
        "list_sessions": PERSONS,
        "get_session_summary": PERSONS,
        "get_session": PERSONS,
        "list_session_history": PERSONS,
        "schedule_session": PRACTITIONER,
        "reschedule_session": PRACTITIONER,
        "start_session": PRACTITIONER,
        "upload_session_result": PRACTITIONER,
        "cancel_session": PARTIES,
        "fail_session": ADMIN,
        "put_assessment": frozenset({"service", "admin"}),
        "list_assessments": frozenset({"member", "service", "admin"}),
        "get_assessment": frozenset({"member", "service", "admin"}),
    },
    "notifier": OPERATOR
    | {
        "list_notifications": EVERYONE,
        "get_notification": EVERYONE,
        "resend_notification": ADMIN,
        "get_preferences": EVERYONE,
        "put_preferences": EVERYONE,
        "verify_whatsapp_webhook": PROOF,
        "receive_whatsapp_statuses": PROOF,
        "list_webhook_endpoints": ADMIN,
        "create_webhook_endpoint": ADMIN,
        "get_webhook_endpoint": ADMIN,
        "put_webhook_endpoint": ADMIN,
        "delete_webhook_endpoint": ADMIN,
        "rotate_webhook_secret": ADMIN,
        "test_webhook_endpoint": ADMIN,
        "list_webhook_deliveries": ADMIN,
        "get_webhook_delivery": ADMIN,
        "resend_webhook_delivery": ADMIN,
    },
    "calendar": OPERATOR
    | {
        "list_calendar_events": PERSONS,
        "list_busy_intervals": EVERYONE,
        "create_calendar_feed": PERSONS,
        "list_calendar_feeds": PERSONS,
        "revoke_calendar_feed": PERSONS,
        "get_calendar_feed": PROOF,
        "create_stream_ticket": PERSONS,
        "stream_changes": PERSONS,
        "list_projections": ADMIN,
        "rebuild_projection": ADMIN,
        "abandon_projection_rebuild": ADMIN,
    },
}


@pytest.mark.parametrize("name", list(MODULES))
def test_table__has_a_row_for_each_operation_and_no_other(name: str):
    paths = offline(name).openapi()["paths"].values()
    assert {operation["operationId"] for path in paths for operation in path.values()} == MATRIX[name].keys()


@pytest.mark.servers
def test_each_role__may_call_what_the_table_says(service: ServiceUnderTest):
    wrong: list[str] = []
    for operation in schemathesis.openapi.from_dict(service.document).get_all_operations():
        request = _a_good_request(operation.ok())  # pyright: ignore[reportAttributeAccessIssue]
        name = request.operation.definition.raw["operationId"]
        wrong += [complaint for role in ROLES if (complaint := _judged(service, name, request, role))]
        if MATRIX[service.name][name] != PROOF:
            anonymous = _called(service, request, {})
            wrong += [] if anonymous == (401, "unauthorized") else [f"{name} without a token: {anonymous}"]
    assert not wrong


def _judged(service: ServiceUnderTest, name: str, request: Any, role: str) -> str | None:
    allowed = MATRIX[service.name][name]
    if allowed == PROOF:
        return None
    # An own address where a role may only treat its own.
    status, code = _called(service, request, service.headers(role, sub=_whose(request)))
    refused = status == 403
    if refused == (role in allowed):
        return f"{name} as {role}: {status} {code}"
    return None


def _called(service: ServiceUnderTest, request: Any, headers: dict[str, str]) -> tuple[int, str]:
    """Status and code; of a stream without end the beginning is enough."""
    made = request.as_transport_kwargs(base_url=service.url)
    sent = {key: value for key, value in made["headers"].items() if key.lower() != "authorization"}
    body = {"content": made["data"]} if made.get("data") is not None else {"json": made.get("json")}
    with service.client.stream(
        made["method"], made["url"], params=made.get("params"), headers=sent | headers, **body
    ) as answer:
        if answer.status_code < 400:
            return answer.status_code, ""
        answer.read()
        return answer.status_code, answer.json().get("code", "")


def _whose(request: Any) -> Any:
    return (request.path_parameters or {}).get("practitioner_id") or uuid4()


def _a_good_request(operation: Any) -> Any:
    found: list[Any] = []

    @given_(case=operation.as_strategy())
    @settings(
        max_examples=1,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    def keep(case: Any) -> None:
        found.append(case)

    keep()
    return found[0]
