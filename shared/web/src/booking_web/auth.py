"""Who calls: the bearer token of a request as a principal, its roles, and how often one person may call."""

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias, cast
from uuid import UUID

import jwt
from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.security.base import SecurityBase

from booking_web.keys import KeySet
from booking_web.problems import Problem, forbidden

Role: TypeAlias = Literal["member", "practitioner", "admin", "service"]
ROLES: frozenset[str] = frozenset({"member", "practitioner", "admin", "service"})


@dataclass(frozen=True, slots=True)
class Principal:
    """The person or system that a valid token speaks for; `sub` is its user_id and practitioner_id (api.md)."""

    sub: UUID
    roles: frozenset[str]
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    locale: str | None = None
    zoneinfo: str | None = None
    expires_at: float = field(default=math.inf, compare=False)
    """Until when the token speaks, in Unix seconds: what outlives its request (a stream) ends then."""

    def has(self, *roles: str) -> bool:
        """Whether the principal has any of the roles."""
        return not self.roles.isdisjoint(roles)

    def actor(self, role: str) -> str:
        """The actor that an event records: ``member:<uuid>``."""
        return f"{role}:{self.sub}"


_LONGEST_TOKEN = 8192
_LONGEST_CLAIM = 512
_CACHED_TOKENS = 4096
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti", "roles"]
_TYPES = frozenset({"at+jwt", "application/at+jwt"})


def unauthorized() -> Problem:
    """The one answer to no token and to any bad token."""
    return Problem(401, "unauthorized", "Send a valid bearer token.", headers={"WWW-Authenticate": "Bearer"})


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    expires_at: float
    generation: int


class TokenVerifier:
    """Turns a compact JWT into a Principal.

    A signature costs more than the rest of a request's parsing, so verified tokens are kept, each until it expires or
    the key set changes; and none counts once the key set is too old to be trusted.
    """

    def __init__(
        self, keys: KeySet, *, issuer: str, audience: str, algorithms: tuple[str, ...], leeway: int = 30
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._algorithms = frozenset(algorithms)
        self._leeway = leeway
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """The token's principal, or Problem 401; Problem 503 as long as there is no key set that may be trusted."""
        known = self._known.get(token)
        if known is not None and self._keys.trusted():
            if known.expires_at > time.time() and known.generation == self._keys.generation:
                return known.principal
            del self._known[token]
        if len(token) > _LONGEST_TOKEN:
            raise unauthorized()
        try:
            return self._remember(token, *await self._verified(token))
        except Problem:
            raise
        except Exception:  # noqa: BLE001 - PyJWT, json and cryptography raise many kinds on hostile input; all mean 401
            raise unauthorized() from None

    async def _verified(self, token: str) -> tuple[Principal, float]:
        header = jwt.get_unverified_header(token)
        if not self._acceptable(header):
            raise unauthorized()
        key = await self._keys.find(header["kid"])
        if key is None or key.algorithm_name != header["alg"]:
            raise unauthorized()
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=self._issuer,
            audience=self._audience,
            leeway=self._leeway,
            options={"require": _REQUIRED, "enforce_minimum_key_length": True},
        )
        expires_at = float(claims["exp"]) + self._leeway
        return _principal(claims, expires_at), expires_at

    def _acceptable(self, header: dict[str, Any]) -> bool:
        kid = header.get("kid")
        return (
            header.get("alg") in self._algorithms
            and str(header.get("typ")).lower() in _TYPES
            and isinstance(kid, str)
            and 0 < len(kid) <= 128
            and "crit" not in header
            and "b64" not in header
        )

    def _remember(self, token: str, principal: Principal, expires_at: float) -> Principal:
        while len(self._known) >= _CACHED_TOKENS:
            self._known.popitem(last=False)
        self._known[token] = _Known(principal, expires_at, self._keys.generation)
        return principal


def _principal(claims: dict[str, Any], expires_at: float) -> Principal:
    for name in ("iat", "exp", "nbf"):
        _check(name not in claims or _is_instant(claims[name]))
    _check(bool(_text(claims["jti"])))
    audience: object = claims["aud"]
    _check(isinstance(audience, str | list))
    sub = _text(claims["sub"])
    person = UUID(sub)
    _check(str(person) == (sub or "").lower())
    return Principal(
        sub=person,
        roles=_roles(claims["roles"]),
        name=_text(claims.get("name")),
        email=_text(claims.get("email")),
        phone_number=_text(claims.get("phone_number")),
        locale=_text(claims.get("locale")),
        zoneinfo=_text(claims.get("zoneinfo")),
        expires_at=expires_at,
    )


def _roles(value: Any) -> frozenset[str]:
    _check(isinstance(value, list))
    roles = cast("list[object]", value)
    _check(len(roles) <= 32 and all(isinstance(role, str) for role in roles))
    return frozenset(role for role in ROLES if role in roles)


def _is_instant(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e12


def _text(value: Any) -> str | None:
    """A claim's text as PostgreSQL can keep it, or a refusal."""
    if value is None:
        return None
    _check(isinstance(value, str) and len(value) <= _LONGEST_CLAIM and "\x00" not in value)
    value.encode()  # a lone surrogate raises
    return value


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError("a claim is not what it must be")


_MOST_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Quota:
    """How a person stands: calls that are left now, and seconds until all of a minute are."""

    per_minute: int
    left: int
    resets_in: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As draft-ietf-httpapi-ratelimit-headers writes it."""
        return [
            (b"ratelimit-policy", b'"person";q=%d;w=60' % self.per_minute),
            (b"ratelimit", b'"person";r=%d;t=%d' % (self.left, self.resets_in)),
        ]


class RateLimit:
    """`per_minute` requests a minute, as a burst or evenly; 0 switches it off."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._burst = 60.0 - self._interval
        self._due: dict[object, float] = {}

    def wait(self, who: object) -> float:
        """0 when the call is allowed (and counted), else the seconds until one will be."""
        if not self._interval:
            return 0.0
        now = time.monotonic()
        due = max(self._due.get(who, now), now)
        if due - now > self._burst:
            return due - now - self._burst
        if len(self._due) >= _MOST_KEPT:
            self._due = {key: at for key, at in self._due.items() if at > now}
        self._due[who] = due + self._interval
        return 0.0

    def quota(self, who: object) -> Quota | None:
        """What is left after the last call; None where nothing is counted."""
        if not self._interval:
            return None
        ahead = max(self._due.get(who, 0.0) - time.monotonic(), 0.0)
        left = max(0, math.floor((self._burst - ahead) / self._interval + 1e-9) + 1)
        return Quota(self._per_minute, left, math.ceil(ahead))


QUOTA = "booking.quota"


class Authenticator:
    """Verifies a request's token, then counts the call against its person's limit."""

    def __init__(self, verifier: TokenVerifier, limit: RateLimit) -> None:
        self._verifier = verifier
        self._limit = limit

    async def principal(self, authorization: list[str], scope: MutableMapping[str, Any]) -> Principal:
        """The principal of the one Authorization header, their quota noted for the edge; Problem 401, 429 or 503."""
        scheme, _, token = authorization[0].partition(" ") if len(authorization) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized()
        return self.counted(await self._verifier.verify(token.strip(" ")), scope)

    def counted(self, principal: Principal, scope: MutableMapping[str, Any]) -> Principal:
        """The principal, their call counted and their quota noted for the edge; Problem 429."""
        wait = self._limit.wait(principal.sub)
        scope[QUOTA] = self._limit.quota(principal.sub)
        if wait > 0:
            raise Problem(429, "rate_limited", "Too many requests.", headers={"Retry-After": str(math.ceil(wait))})
        return principal


_SCOPE = "booking.caller"


class _Bearer(SecurityBase):
    """A dependency that FastAPI shows in OpenAPI as the bearer security scheme; what needs the caller may call it too.

    A request's token is verified, and counted, once.
    """

    def __init__(self) -> None:
        self.model = BearerModel(bearerFormat="JWT", description="An access token (RFC 9068) for `booking`.")
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Principal:
        known: Principal | None = request.scope.get(_SCOPE)
        if known is None:
            authenticator: Authenticator = request.app.state.authenticator
            known = await authenticator.principal(request.headers.getlist("authorization"), request.scope)
            request.scope[_SCOPE] = known
        return known


bearer = _Bearer()


async def admit(request: Request, prove: Callable[[], Awaitable[Principal]]) -> Principal:
    """The caller by another proof than a token; asked for once a request, and counted as any call."""
    known: Principal | None = request.scope.get(_SCOPE)
    if known is None:
        authenticator: Authenticator = request.app.state.authenticator
        known = authenticator.counted(await prove(), request.scope)
        request.scope[_SCOPE] = known
    return known


Caller = Annotated[Principal, Security(bearer)]
"""The caller, whatever their roles; 401 without a valid token."""


@dataclass(frozen=True, slots=True)
class RoleRequired(SecurityBase):
    """The dependency that `require` makes; OpenAPI shows its roles.

    The same scheme as `bearer`, not a dependency on it: FastAPI spends more on each than it does.
    """

    roles: tuple[str, ...]
    model = bearer.model
    scheme_name = bearer.scheme_name

    async def __call__(self, request: Request) -> Principal:
        caller = await bearer(request)
        if not caller.has(*self.roles):
            raise forbidden()
        return caller


def require(*roles: str) -> RoleRequired:
    """A dependency: the caller with at least one of the roles, else 403 (T7)."""
    return RoleRequired(roles)


AdminCaller = Annotated[Principal, Depends(require("admin"))]
"""The caller, an admin."""
