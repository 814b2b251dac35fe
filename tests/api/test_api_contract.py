"""Every operation of every service, as each role, with data that fits its contract and data that does not.

No 5xx, no answer that the contract does not tell of, no body of another shape than it says (api.md).
"""

import copy
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
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
from tests.api.service_under_test import ANONYMOUS, ROLES, ServiceUnderTest

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = {"/v1/calendar/stream"}
EXAMPLES = int(os.environ.get("API_EXAMPLES", "4"))
"""Per operation, role and kind of data: a few in each run, hundreds by night."""


@pytest.mark.parametrize("role", [ANONYMOUS, *ROLES])
def test_good_requests__get_the_answers_of_the_contract(service: ServiceUnderTest, role: str):
    _try_all(service, role, GenerationMode.POSITIVE)


@pytest.mark.parametrize("role", ["member", "practitioner", "admin"])
def test_bad_requests__are_refused_as_the_contract_says(service: ServiceUnderTest, role: str):
    _try_all(service, role, GenerationMode.NEGATIVE)


def _try_all(service: ServiceUnderTest, role: str, mode: GenerationMode) -> None:
    found = [failure for operation in _operations(service) for failure in _failures(service, operation, role, mode)]
    assert not found, f"{len(found)} operations of {service.name}:\n\n" + "\n\n".join(found)


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


def _failures(service: ServiceUnderTest, operation: Any, role: str, mode: GenerationMode) -> Iterator[str]:
    chance = random.Random(f"{operation.label} {role}")
    checks = [*CHECKS, negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS

    @given_(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    def answers_as_told(case: Any) -> None:
        known_only = mode is GenerationMode.POSITIVE and chance.random() < 0.6
        for name, ids in service.known.items() if known_only else ():
            if name in case.path_parameters:
                case.path_parameters[name] = chance.choice(ids)
        response = case.call(base_url=service.url, headers=service.headers(role), timeout=30)
        case.validate_response(response, checks=checks)

    try:
        answers_as_told()
    except Unsatisfiable:
        return  # nothing that this operation takes can be wrong
    except (Exception, FailureGroup) as failure:  # noqa: BLE001 - all operations are tried before any is complained about
        told = "\n".join(map(str, failure.exceptions)) if isinstance(failure, FailureGroup) else repr(failure)
        yield f"{operation.label} as {role}, {mode.value}:\n{told}"
