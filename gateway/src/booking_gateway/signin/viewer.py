"""Who looks at a page. `Viewer` as a parameter of a route: somebody signed in, with an access token that is good."""

import time
from dataclasses import replace
from typing import Annotated

import structlog
from fastapi import Depends, Request

from booking_gateway.signin.provider import Provider, ProviderAway, SignInFailed, Tokens
from booking_gateway.signin.session import Session

log = structlog.get_logger(__name__)


class SignInNeeded(Exception):
    """Nobody is signed in, or not any more."""


class WrongRole(Exception):
    """Who is signed in has none of the roles that a page is for."""


async def signed_in(request: Request) -> Session:
    """The session, its tokens refreshed if they are about to end. Raises SignInNeeded."""
    session: Session | None = request.state.session
    if session is None:
        raise SignInNeeded
    if session.stale:
        session = request.state.session = await _refreshed(request.app.state.provider, session)
        if session is None:
            raise SignInNeeded
    return session


async def _refreshed(provider: Provider, session: Session) -> Session | None:
    if session.refresh is not None:
        try:
            return renewed(session, await provider.refresh(session.refresh))
        except SignInFailed as refused:
            log.info("a session was not refreshed", why=str(refused))
        except ProviderAway:
            if session.expires > time.time():
                return session  # it is good for some seconds yet
            log.warning("the identity provider doesn't answer")
    elif session.expires > time.time():
        return session
    return None


def renewed(session: Session, tokens: Tokens) -> Session:
    """The same person with other tokens."""
    return replace(
        session,
        access=tokens.access,
        refresh=tokens.refresh,
        expires=tokens.expires,
        roles=tokens.roles or session.roles,
    )


Viewer = Annotated[Session, Depends(signed_in)]


class _Role:
    def __init__(self, *roles: str) -> None:
        self._roles = roles

    async def __call__(self, viewer: Viewer) -> Session:
        if not set(self._roles) & set(viewer.roles):
            raise WrongRole
        return viewer


Member = Annotated[Session, Depends(_Role("member"))]
Practitioner = Annotated[Session, Depends(_Role("practitioner"))]
Admin = Annotated[Session, Depends(_Role("admin"))]
