"""Bearer tokens: JWT access tokens of one issuer (RFC 9068), for one audience, checked without waiting for anyone.

Whatever a hostile token holds, the answer is the same 401; only a missing key set of ours is a 503 (T2, T3, T33).
"""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import jwt

from booking_web.keys import KeySet
from booking_web.principal import ROLES, Principal
from booking_web.problems import Problem

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
