"""The caller of a route: `caller: Caller`, or `Depends(require("admin"))` where a route allows some roles only."""

import math
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.security.base import SecurityBase

from booking_web.principal import Principal
from booking_web.problems import Problem, forbidden
from booking_web.rate_limit import RateLimit
from booking_web.tokens import TokenVerifier, unauthorized


class Authenticator:
    """Verifies a request's token, then counts the call against its person's limit."""

    def __init__(self, verifier: TokenVerifier, limit: RateLimit) -> None:
        self._verifier = verifier
        self._limit = limit

    async def principal(self, authorization: list[str]) -> Principal:
        """The principal of the one Authorization header; Problem 401, 429 or 503."""
        scheme, _, token = authorization[0].partition(" ") if len(authorization) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized()
        principal = await self._verifier.verify(token.strip(" "))
        if (wait := self._limit.wait(principal.sub)) > 0:
            raise Problem(429, "rate_limited", "Too many requests.", headers={"Retry-After": str(math.ceil(wait))})
        return principal


class _Bearer(SecurityBase):
    """A dependency that FastAPI shows in OpenAPI as the bearer security scheme."""

    def __init__(self) -> None:
        self.model = BearerModel(bearerFormat="JWT", description="An access token (RFC 9068) for `booking`.")
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Principal:
        authenticator: Authenticator = request.app.state.authenticator
        return await authenticator.principal(request.headers.getlist("authorization"))


bearer = _Bearer()

Caller = Annotated[Principal, Security(bearer)]
"""The caller, whatever their roles; 401 without a valid token."""


@dataclass(frozen=True, slots=True)
class RoleRequired:
    """The dependency that `require` makes; OpenAPI shows its roles."""

    roles: tuple[str, ...]

    async def __call__(self, caller: Caller) -> Principal:
        if not caller.has(*self.roles):
            raise forbidden()
        return caller


def require(*roles: str) -> RoleRequired:
    """A dependency: the caller with at least one of the roles, else 403 (T7)."""
    return RoleRequired(roles)


AdminCaller = Annotated[Principal, Depends(require("admin"))]
"""The caller, an admin."""
