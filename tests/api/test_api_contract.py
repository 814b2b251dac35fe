"""Every operation of every service, as each role, with data that fits its contract and data that does not.

No 5xx, no answer that the contract does not tell of, no body of another shape than it says (api.md).
"""

import copy
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as given_
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.believable import Aim
from tests.api.contract.documents import resolved
from tests.api.contract.lint import PROBLEM
from tests.api.service_under_test import ANONYMOUS, ROLES, ServiceUnderTest
from tests.api.test_access_matrix import MATRIX

from booking_web.application import EXPOSED

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OURS = frozenset(name.lower() for name in EXPOSED)
ENDLESS = {"/v1/stream"}
HAS_NONE = {
    ("practitioner", "get_transaction"),  # its history is a party's, itself the member's
    ("service", "get_transaction"),
    ("service", "list_transaction_history"),
    ("service", "get_notification"),
    ("admin", "replay_held_record"),  # what is held here cannot be decoded, however often
}
"""What a role may call, of which it has none here."""
EXAMPLES = int(os.environ.get("API_EXAMPLES", "4"))
"""Per operation and role: a few in each run, hundreds by night."""


@pytest.mark.parametrize("role", [ANONYMOUS, *ROLES])
def test_good_requests__get_the_answers_of_the_contract(service: ServiceUnderTest, role: str, record_property):
    _try_all(service, role, GenerationMode.POSITIVE, record_property)


@pytest.mark.parametrize("role", ["member", "practitioner", "admin"])
def test_bad_requests__are_refused_as_the_contract_says(service: ServiceUnderTest, role: str, record_property):
    _try_all(service, role, GenerationMode.NEGATIVE, record_property)


def _try_all(
    service: ServiceUnderTest, role: str, mode: GenerationMode, record_property: Callable[[str, object], None]
) -> None:
    statuses: dict[str, Counter[str]] = {}
    found: list[str] = []
    with requests.Session() as session:
        for operation in _operations(service):
            answered = statuses.setdefault(operation.definition.raw["operationId"], Counter())
            found += _failures(service, operation, role, mode, session=session, answered=answered)
    data = "good" if mode is GenerationMode.POSITIVE else "bad"
    total = dict(sum(statuses.values(), Counter[str]()))
    figures = {"service": service.name, "role": role, "data": data, "operations": len(statuses), "statuses": total}
    record_property("contract", figures)
    if mode is GenerationMode.POSITIVE:
        found += _never_done(service, role, statuses)
    assert not found, f"{len(found)} operations of {service.name}:\n\n" + "\n\n".join(found)


def _never_done(service: ServiceUnderTest, role: str, statuses: dict[str, Counter[str]]) -> list[str]:
    """What the role may do and what nothing generated did: its cases would prove little."""
    return [
        f"{name} as {role}: never a success, {dict(answered)}"
        for name, answered in statuses.items()
        if role in MATRIX[service.name][name]
        and (role, name) not in HAS_NONE
        and not any(status < "400" for status in answered)
    ]


def _operations(service: ServiceUnderTest) -> Iterator[Any]:
    # The role's token is ours to send: bad ones have tests of their own.
    document = copy.deepcopy(service.document)
    for path in document["paths"].values():
        for operation in path.values():
            operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    for result in schema.get_all_operations():
        operation = result.ok()  # pyright: ignore[reportAttributeAccessIssue]
        if operation.path not in ENDLESS:
            yield operation


def _untold(service: ServiceUnderTest, operation: dict[str, Any], response: Any) -> Iterator[str]:
    """Headers of ours, and members of a problem, that the document says nothing of."""
    answer = resolved(service.document, operation["responses"][str(response.status_code)])
    told = {name.lower() for name in answer.get("headers", {})}
    yield from (name for name in response.headers if name.lower() in OURS - told)
    if (content := answer.get("content", {}).get(PROBLEM)) and PROBLEM in response.headers["content-type"]:
        body = response.json()
        reference = content["schema"]["discriminator"]["mapping"][body["code"]]
        yield from body.keys() - resolved(service.document, {"$ref": reference})["properties"].keys()


def _how_many(mode: GenerationMode, *, refused: bool) -> int:
    """A quarter where every case gets the same 403, half of the bad ones, which cost the most to make."""
    share = 4 if refused else 1 if mode is GenerationMode.POSITIVE else 2
    return max(1, EXAMPLES // share)


def _failures(
    service: ServiceUnderTest,
    operation: Any,
    role: str,
    mode: GenerationMode,
    *,
    session: requests.Session,
    answered: Counter[str],
) -> Iterator[str]:
    aim = Aim(service, role, random.Random(f"{operation.label} {role}"))
    checks = [*CHECKS, negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS
    bearer = service.headers(role)
    refused = role not in MATRIX[service.name][operation.definition.raw["operationId"]]

    @given_(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=_how_many(mode, refused=refused),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    def answers_as_told(case: Any) -> None:
        more = aim.amend(case) if mode is GenerationMode.POSITIVE else {}
        headers = bearer | more.pop("headers", {})
        response = case.call(base_url=service.url, session=session, headers=headers, timeout=30, **more)
        answered[str(response.status_code)] += 1
        case.validate_response(response, checks=checks)
        assert list(_untold(service, operation.definition.raw, response)) == []

    try:
        answers_as_told()
    except Unsatisfiable:
        return  # nothing that this operation takes can be wrong
    except (Exception, FailureGroup) as failure:  # noqa: BLE001 - all operations are tried before any is complained about
        told = "\n".join(map(str, failure.exceptions)) if isinstance(failure, FailureGroup) else repr(failure)
        yield f"{operation.label} as {role}, {mode.value}:\n{told}"
