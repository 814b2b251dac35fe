"""What a route that writes takes beside its body and its caller, as one dependency: FastAPI spends more on each node of
its tree than most of them do (docs/benchmarks.md).
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from booking_web.conditions import Conditions, IfMatchHeader, IfNoneMatchHeader, conditions_of
from booking_web.context import SCOPE_KEY, Context
from booking_web.idempotency import IdempotencyKey, IdempotencyScope, KeyHeader, scope_of


@dataclass(frozen=True, slots=True)
class Write:
    """One call of such a route: whence it comes, its key, the versions it is for, and the answer in the making."""

    context: Context
    idempotency: IdempotencyScope
    conditions: Conditions
    response: Response

    @property
    def key(self) -> IdempotencyKey | None:
        """The request's key, if it was sent one."""
        return self.idempotency.key


async def _write(
    request: Request,
    response: Response,
    key: KeyHeader = None,
    _if_match: IfMatchHeader = None,
    _if_none_match: IfNoneMatchHeader = None,
) -> Write:
    idempotency = await scope_of(request, response, key)
    return Write(request.scope[SCOPE_KEY], idempotency, conditions_of(request.scope), response)


WriteCall = Annotated[Write, Depends(_write)]
"""The request's Write, as a parameter of a route. Problem 422 for a key that is none, 400 for malformed conditions."""
