"""The identity provider as its client sees it: OpenID Connect, authorization code with PKCE, by Authlib.

Any provider that has a discovery document will do. The id_token is checked (OpenID Connect Core §3.1.3.7). Roles stand
in the access token, as the services read them (docs/api.md, Who calls). It comes from the token endpoint itself, and
the services verify it at each call: here it only chooses which menus to show.
"""

import asyncio
import base64
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from booking_gateway.settings import Settings

_KEPT = 600.0
"""Seconds for which discovery and keys are not asked for again."""
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_LEEWAY = 60
_UNSAID = 300.0
"""Seconds that an access token is taken to last where the provider doesn't say."""
_SHARED = 10.0
"""Seconds for which the answer to a refresh token is given to whoever comes with the same one."""


class SignInFailed(Exception):
    """The provider refused, or said something that can't be; the message is for logs."""


class ProviderAway(Exception):
    """The provider didn't answer."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gave. `claims` are the id_token's; a refresh may bring none."""

    access: str
    refresh: str | None
    expires: float
    roles: tuple[str, ...]
    claims: dict[str, Any]


class Provider:
    """One provider. Discovery is read when first needed, so that the gateway starts without it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._callback = f"{settings.public_url}/sign-in/callback"
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, Any] | None = None
        self._refreshing: dict[str, asyncio.Task[Tokens]] = {}

    async def metadata(self) -> dict[str, Any]:
        """The discovery document. Raises ProviderAway or SignInFailed."""
        if self._metadata is None or self._metadata[0] < time.monotonic():
            found = await self._get(self._inner(f"{self._settings.oidc_issuer}/.well-known/openid-configuration"))
            if found.get("issuer") != self._settings.oidc_issuer:
                raise SignInFailed("the discovery document is another issuer's")
            self._metadata = (time.monotonic() + _KEPT, found)
        return self._metadata[1]

    async def address(self, *, state: str, nonce: str, verifier: str, locale: str) -> str:
        """Where to send somebody to sign in."""
        metadata = await self.metadata()
        async with self._client() as client:
            address, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier, ui_locales=locale
            )
        return address

    async def exchange(self, code: str, *, verifier: str, nonce: str) -> Tokens:
        """The tokens for a code. Raises ProviderAway or SignInFailed."""
        metadata = await self.metadata()
        found = await self._fetch(metadata["token_endpoint"], code=code, code_verifier=verifier)
        claims = await self._checked(str(found.get("id_token") or ""), nonce)
        return _tokens(found, claims)

    async def refresh(self, token: str) -> Tokens:
        """New tokens for a refresh token. Requests that come at once with the same one share the answer: providers that
        rotate take a second use for a theft. Raises ProviderAway or SignInFailed."""
        running = self._refreshing.get(token)
        if running is None:
            running = self._refreshing[token] = asyncio.create_task(self._refresh(token))
            loop = asyncio.get_running_loop()
            running.add_done_callback(lambda _: loop.call_later(_SHARED, self._refreshing.pop, token, None))
        return await asyncio.shield(running)

    async def _refresh(self, token: str) -> Tokens:
        metadata = await self.metadata()
        found = await self._fetch(metadata["token_endpoint"], grant_type="refresh_token", refresh_token=token)
        return _tokens({"refresh_token": token, **found}, {})

    async def farewell(self) -> str | None:
        """The page of the provider that ends its own session, if it has one."""
        try:
            return (await self.metadata()).get("end_session_endpoint")
        except (ProviderAway, SignInFailed):
            return None

    def _inner(self, address: str) -> str:
        """An address of the provider as it is reached from here: in a container network it may have another name."""
        inner, issuer = self._settings.oidc_internal_url, self._settings.oidc_issuer
        return inner + address.removeprefix(issuer) if inner and address.startswith(f"{issuer}/") else address

    async def _fetch(self, endpoint: str, **words: str) -> dict[str, Any]:
        from authlib.integrations.base_client import OAuthError  # noqa: PLC0415 - slow, see _client

        try:
            async with self._client() as client:
                return await client.fetch_token(self._inner(endpoint), **words)
        except OAuthError as refused:
            raise SignInFailed(f"the token endpoint refused: {refused.error}") from refused
        except httpx2.TransportError as broken:
            raise ProviderAway from broken
        except (httpx2.HTTPError, ValueError) as broken:
            raise SignInFailed("the token endpoint gave no token") from broken

    def _client(self) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client  # noqa: PLC0415 - a fifth of a second

        secret = self._settings.oidc_client_secret
        return AsyncOAuth2Client(
            self._settings.oidc_client_id,
            secret and secret.get_secret_value(),
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            scope=self._settings.oidc_scopes,
            redirect_uri=self._callback,
            code_challenge_method="S256",
            timeout=self._settings.call_timeout_seconds,
        )

    async def _checked(self, id_token: str, nonce: str) -> dict[str, Any]:
        from joserfc import errors, jwt  # noqa: PLC0415 - see _client

        try:
            claims = jwt.decode(id_token, await self._key_set(), algorithms=_ALGORITHMS).claims
        except (errors.JoseError, ValueError):
            self._keys = None  # they may have been changed a moment ago
            try:
                claims = jwt.decode(id_token, await self._key_set(), algorithms=_ALGORITHMS).claims
            except (errors.JoseError, ValueError) as bad:
                raise SignInFailed("the id_token is not the provider's") from bad
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._settings.oidc_issuer},
            aud={"essential": True, "value": self._settings.oidc_client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            rules.validate(claims)
        except errors.JoseError as bad:
            raise SignInFailed(f"the id_token is not for this sign-in: {bad.error}") from bad
        return claims

    async def _key_set(self) -> Any:
        from joserfc.jwk import KeySet  # noqa: PLC0415 - see _client

        if self._keys is None or self._keys[0] < time.monotonic():
            metadata = await self.metadata()
            found: Any = await self._get(self._inner(metadata["jwks_uri"]))
            self._keys = (time.monotonic() + _KEPT, KeySet.import_key_set(found))
        return self._keys[1]

    async def _get(self, address: str) -> dict[str, Any]:
        try:
            async with httpx2.AsyncClient(timeout=self._settings.call_timeout_seconds) as http:
                answer = await http.get(address, headers={"Accept": "application/json"})
                answer.raise_for_status()
                found = answer.json()
        except httpx2.HTTPError as broken:
            raise ProviderAway from broken
        except ValueError as bad:
            raise SignInFailed("the provider's document is no JSON") from bad
        if not isinstance(found, dict):
            raise SignInFailed("the provider's document is no object")
        return found


def _tokens(found: dict[str, Any], claims: dict[str, Any]) -> Tokens:
    access = found.get("access_token")
    if not isinstance(access, str) or not access:
        raise SignInFailed("the token endpoint gave no access token")
    seconds = found.get("expires_in")
    lasting = float(seconds) if isinstance(seconds, int | float) else _UNSAID
    refresh = found.get("refresh_token")
    return Tokens(access, refresh if isinstance(refresh, str) else None, time.time() + lasting, _roles(access), claims)


def _roles(access: str) -> tuple[str, ...]:
    """The `roles` of a JWT, unverified: see above."""
    try:
        middle = access.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))["roles"]
    except (IndexError, ValueError, KeyError, TypeError):
        return ()
    return tuple(str(one) for one in told) if isinstance(told, list) else ()
