"""What a call that did not succeed raises."""

from collections.abc import Mapping
from typing import Any, Generic

import httpx2
from typing_extensions import TypeVar

Problem = TypeVar("Problem", bound=Mapping[str, Any], default=Mapping[str, Any])


class Refused(Exception, Generic[Problem]):
    """A problem (RFC 9457). Each code has a class of its own in `problems`; one newer than this client has none.

    `problem` is as it came: `code`, `status`, `title`, `detail`, and the members of its code.
    """

    def __init__(self, problem: Problem, headers: httpx2.Headers) -> None:
        super().__init__(f"{problem['status']} {problem['code']}: {problem.get('detail', '')}")
        self.problem = problem
        self.headers = headers

    @property
    def code(self) -> str:
        """What to go by; one that you don't know by its `status`."""
        return self.problem["code"]

    @property
    def status(self) -> int:
        """Of HTTP."""
        return self.problem["status"]


class Unanswered(Exception):
    """No answer until the deadline: a command may have been done or not.

    Send it again with this `idempotency_key`: it is done once, and you get the first answer.
    """

    def __init__(self, operation: str, idempotency_key: str | None) -> None:
        super().__init__(f"{operation} got no answer")
        self.operation = operation
        self.idempotency_key = idempotency_key


class Unexpected(Exception):
    """An answer that is none of Booking's: something in between spoke, such as a proxy."""

    def __init__(self, operation: str, status: int, text: str) -> None:
        super().__init__(f"{operation}: {status} {text[:200]}")
        self.operation = operation
        self.status = status
        self.text = text
