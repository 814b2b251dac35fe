"""Every error that a command may come to is something to a caller: none of them is a 500 (ADR 7)."""

from collections.abc import Iterator

import pytest

import checkout.transactions.problems
import consultation.sessions.problems
from booking_store import CommandError

SERVICES = {
    "checkout": checkout.transactions.problems.PROBLEMS,
    "consultation": consultation.sessions.problems.PROBLEMS,
}


def _errors(kind: type[Exception], service: str) -> Iterator[type[Exception]]:
    if kind.__module__.split(".")[0] in ("booking_store", service):
        yield kind
    for below in kind.__subclasses__():
        yield from _errors(below, service)


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_of_a_command__is_a_problem(service: str):
    errors = {error for error in _errors(CommandError, service) if error is not CommandError}
    assert len(errors) > 3
    unnamed = {error.__name__ for error in errors if not any(base in SERVICES[service] for base in error.__mro__)}
    assert unnamed == set()
