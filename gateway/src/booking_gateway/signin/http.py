"""Signing in and out: `/sign-in` sends to the provider, `/sign-in/callback` comes back, `/sign-out` ends it here."""

import secrets
import time
from dataclasses import replace
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from booking_client import Patience, Refused, Unanswered, Unexpected
from booking_gateway.pages.page import page
from booking_gateway.settings import Settings
from booking_gateway.signin.provider import Provider, ProviderAway, SignInFailed, Tokens
from booking_gateway.signin.sealed import Seal
from booking_gateway.signin.session import Cookies, Session
from booking_gateway.words.words import words_of

log = structlog.get_logger(__name__)
_MINUTES = 15


def router(settings: Settings, provider: Provider, cookies: Cookies) -> APIRouter:
    """The routes of this folder."""
    routes = APIRouter()
    # One cookie for each attempt, named by its `state`: two tabs may sign in at once.
    seal = Seal(settings.session_secret.get_secret_value(), "sign-in")

    @routes.get("/sign-in")
    async def sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002 - the word in the address
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            address = await provider.address(
                state=state, nonce=nonce, verifier=verifier, locale=words_of(request).locale
            )
        except (ProviderAway, SignInFailed) as broken:
            log.warning("nobody can sign in", why=repr(broken))
            return page(request, "sign_in_failed.html", away=True, status=503)
        attempt = seal.seal({"nonce": nonce, "verifier": verifier, "next": ours(next)}, _MINUTES * 60)
        request.state.set_cookies.append(cookies.cookie(f"-in-{state[:16]}", attempt, _MINUTES * 60))
        return RedirectResponse(address, 303)

    @routes.get("/sign-in/callback")
    async def come_back(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        name = f"-in-{state[:16]}"
        attempt = seal.open(request.cookies.get(cookies.name + name, "")) if state else None
        if attempt is None or error or not code:
            log.info("a sign-in was not finished", why=error[:100] or "another browser's, or too late")
            return page(request, "sign_in_failed.html", away=False, status=400)
        request.state.set_cookies.append(cookies.cookie(name, "", 0))
        try:
            tokens = await provider.exchange(code, verifier=attempt["verifier"], nonce=attempt["nonce"])
        except (ProviderAway, SignInFailed) as broken:
            log.warning("a sign-in failed", why=repr(broken))
            away = isinstance(broken, ProviderAway)
            return page(request, "sign_in_failed.html", away=away, status=503 if away else 400)
        request.state.session = await _known(request, _session(tokens, settings))
        return RedirectResponse(attempt["next"], 303)

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        if request.state.session is not None:
            request.app.state.live.end(request.state.session.sub)
        request.state.session = None
        return RedirectResponse("/signed-out", 303)

    @routes.get("/signed-out")
    async def signed_out(request: Request) -> Response:
        return page(request, "signed_out.html", farewell=await provider.farewell())

    return routes


def ours(path: str) -> str:
    """The path if it is one of this gateway, else the first page: a link must not lead elsewhere through us."""
    parts = urlsplit(path)
    good = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()
    return path if good else "/"


def _session(tokens: Tokens, settings: Settings) -> Session:
    claims = tokens.claims
    return Session(
        sub=str(claims["sub"]),
        name=str(claims.get("name") or "")[:200],
        roles=tokens.roles,
        access=tokens.access,
        refresh=tokens.refresh,
        expires=tokens.expires,
        until=time.time() + settings.session_hours * 3600,
        locale=_text(claims.get("locale")),
        timezone=_text(claims.get("zoneinfo")),
    )


async def _known(request: Request, session: Session) -> Session:
    """Their language and zone as the platform has them. A first call also makes them known there."""
    try:
        told = (
            await request.app.state.booking.caller(
                session.access, patience=Patience(deadline=0.5, unreachable=0.2)
            ).get_me()
        ).body
    except (Refused, Unanswered, Unexpected) as broken:
        log.warning("a person's language and zone are not known", why=type(broken).__name__)
        return session
    return replace(session, name=told["name"] or session.name, locale=told["locale"], timezone=told["timezone"])


def _text(value: object) -> str | None:
    return value[:64] if isinstance(value, str) and value else None
