"""What the deciders refuse people and what the documents tell of it are the same, operation by operation.

What the deciders refuse is walked (`refusals.py`); what the database or the route decides instead is in `ELSEWHERE`.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any

import jsonschema
import pytest
from tests.api.contract.documents import Json, committed_file, operations, read, resolved, spelled_out
from tests.api.contract.lint import PROBLEM
from tests.api.refusals import DECIDERS, Told, of_system

from booking_web.problems import schema_name

LOST = {"changed_meanwhile"}
"""A race that was lost too often: of every command (booking_store's Busy)."""
ELSEWHERE: dict[str, set[str]] = {
    "create_transaction": {"too_many_unpaid", "return_url_not_allowed"},
    "cancel_transaction": set(),
    "refund_transaction": set(),
    "reassign_transaction": set(),
    "settle_payment_review": set(),
    "request_session": {"active_session_exists", "transaction_used"},
    "schedule_session": {"overlap", "invalid_link"},
    "reschedule_session": {"overlap", "invalid_link"},
    "start_session": set(),
    "upload_session_result": {"invalid_link"},
    "cancel_session": set(),
    "fail_session": set(),
}
"""Decided by the append (room, R2, S4) or by the route: a link is canonical before it comes to the decider (S3)."""
OF_ANY_CALL = {"invalid_request", "invalid_value", "invalid_text", "invalid_cursor", "invalid_consistency_token"} | {
    "idempotency_key_reused",
    "invalid_idempotency_key",
}
"""Of status 422, and about the form of a request."""
DOCUMENTS = {name: spelled_out(read(committed_file(name))) for name in DECIDERS}


@pytest.fixture(scope="module", params=DECIDERS)
def walked(request: pytest.FixtureRequest) -> tuple[str, Told]:
    return request.param, DECIDERS[request.param][0]()


def _operation(name: str, operation: str) -> Json:
    return next(one for _, _, one in operations(DOCUMENTS[name]) if one["operationId"] == operation)


def _choices(name: str, operation: str) -> dict[str, tuple[str, str]]:
    """Code to its status and its schema."""
    answers = _operation(name, operation)["responses"].items()
    return {
        code: (status, reference)
        for status, answer in answers
        for code, reference in answer.get("content", {})
        .get(PROBLEM, {"schema": {"discriminator": {"mapping": {}}}})["schema"]["discriminator"]["mapping"]
        .items()
    }


def test_every_refusal__is_told_as_it_is(walked: tuple[str, Told]):
    """With its status, and the members that its schema says."""
    name, told = walked
    for operation, problems in told.items():
        choices = _choices(name, operation)
        for problem in problems:
            assert problem.code in choices, f"{operation} may answer {problem.code}: it must say so"
            status, reference = choices[problem.code]
            assert (status, reference.rpartition("/")[2]) == (str(problem.status), schema_name(problem)), operation
            schema = {**resolved(DOCUMENTS[name], {"$ref": reference}), "components": DOCUMENTS[name]["components"]}
            jsonschema.validate(problem.body("/v1/it"), schema)


def test_every_code_that_is_told__may_be_answered(walked: tuple[str, Told]):
    """Of the codes that are a decision about this very command."""
    name, told = walked
    for operation, problems in told.items():
        decided = {
            code
            for code, (status, _) in _choices(name, operation).items()
            if status in {"404", "409"} or (status == "422" and code not in OF_ANY_CALL)
        }
        answered = {problem.code for problem in problems if problem.status != 403} | ELSEWHERE[operation] | LOST
        assert decided == answered, operation


def test_every_command_of_people__is_walked(walked: tuple[str, Told]):
    """An operation that may lose the race of a command is one."""
    name, told = walked
    racing = {
        one["operationId"]
        for _, _, one in operations(DOCUMENTS[name])
        if LOST & _choices(name, one["operationId"]).keys()
    }
    assert told.keys() == racing


def test_every_refusal_of_the_decider__is_walked(walked: tuple[str, Told]):
    """Each line that refuses is come to: no fact that a decision looks at is forgotten above."""
    name, _ = walked
    walk, decider = DECIDERS[name]
    wanted = dict(_refusing(decider))
    missed = wanted.keys() - _lines(decider, walk, of_system)
    assert not missed, [wanted[line] for line in missed]


def _refusing(module: ModuleType) -> Iterator[tuple[int, str]]:
    """The statements within functions that make a refusal, by their line."""
    for function in (one for one in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(one, ast.FunctionDef)):
        for statement in ast.walk(function):
            if isinstance(statement, ast.Return) and "Refusal(" in ast.unparse(statement):
                yield statement.lineno, ast.unparse(statement)


def _lines(module: ModuleType, *actions: Callable[[], object]) -> set[int]:
    """The module's lines that the actions come to."""
    seen: set[int] = set()

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename != module.__file__:
            return None
        seen.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for action in actions:
            action()
    finally:
        sys.settrace(before)
    return seen
