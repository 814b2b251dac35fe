"""The identity provider: OpenID Connect as a client library expects it. `python -m booking_standins.identity`

`GET /.well-known/openid-configuration` and `/.well-known/jwks.json`; `GET /authorize` asks a person who they are,
`POST /authorize` is their answer, `POST /token` gives tokens (oauth.py), `GET /userinfo` tells a token's claims.
JWKS_FILE holds the public keys, SIGNING_FILE the private one, JWT_ISSUER is this server's address, CLIENT_SECRET the
secret of the client `booking-service`. PEOPLE_FILE, if it is there, is a JSON list of people to choose from (`sub`,
`roles`, `name`, `email`, `phone_number`, `locale`, `zoneinfo`); TOKEN_SECONDS is how long an access token is good for.
"""

import html
import json
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from booking_standins.serving import application, serve, setting

if TYPE_CHECKING:
    from booking_standins.oauth import Person, Provider

_FIELDS = ("sub", "name", "email", "phone_number", "locale", "zoneinfo")
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sign in</title>
<style>body {{ font: 16px system-ui; margin: 3em auto; max-width: 30em }}
label, button {{ display: block; margin: .6em 0 }}
input:not([type=checkbox]) {{ width: 100% }}</style>
<h1>Sign in</h1>
<p>This provider is for development: choose who you are, or say it below. There is no password.</p>
{known}
<form method="post">{fields}
<label><input type="checkbox" name="role" value="member" checked> member</label>
<label><input type="checkbox" name="role" value="practitioner"> practitioner</label>
<label><input type="checkbox" name="role" value="admin"> admin</label>
<button>Sign in</button></form>
</html>
"""


@cache
def _provider(issuer: str, signing_file: str, secret: str) -> "Provider":
    from booking_standins.oauth import Provider  # noqa: PLC0415 - slow to import, and most starts never need it

    return Provider(issuer, Path(signing_file), secret, int(setting("TOKEN_SECONDS", "3600")))


def _people() -> dict[str, "Person"]:
    """Who may be chosen, by `sub`: those of the file, as it is now, and who has signed in since the start."""
    from booking_standins.oauth import Person  # noqa: PLC0415 - see above

    kept = Path(setting("PEOPLE_FILE", "/nonexistent"))
    told = json.loads(kept.read_text("utf-8")) if kept.is_file() else []
    return {one["sub"]: Person(**{**one, "roles": tuple(one["roles"])}) for one in told} | _signing().people


def _signing() -> "Provider":
    return _provider(setting("JWT_ISSUER"), setting("SIGNING_FILE"), setting("CLIENT_SECRET"))


def configuration(issuer: str) -> dict[str, Any]:
    """What OpenID Connect Discovery and RFC 8414 tell clients."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "profile", "email", "phone", "offline_access", "admin", "service"],
        "claims_supported": ["sub", "name", "locale", "zoneinfo", "email", "phone_number"],
    }


def _person(form: Mapping[str, str], roles: list[str]) -> "Person":
    """Who they say they are. Raises ValueError for a `sub` that is no UUID, or a role that there is not."""
    from booking_standins.oauth import ROLES, Person  # noqa: PLC0415 - see above

    known = _people().get(form.get("sub", ""))
    if known is not None and not roles:
        return known
    unknown = [one for one in roles if one not in ROLES]
    if unknown or not roles:
        raise ValueError(f"`role` is one of {', '.join(ROLES)}")
    said = {name: form.get(name) or None for name in _FIELDS}
    said["sub"] = str(uuid.UUID(said["sub"])) if said["sub"] else str(uuid.uuid4())
    return Person(roles=tuple(roles), **said)  # type: ignore[arg-type]


def _page(request: Request) -> str:
    hint = {"sub": request.query_params.get("login_hint", "")}
    fields = "".join(
        f'<label>{name} <input name="{name}" value="{html.escape(hint.get(name, ""))}"></label>' for name in _FIELDS
    )
    buttons = "".join(
        f'<form method="post"><button name="sub" value="{one.sub}">'
        f"{html.escape(one.name or one.sub)} ({', '.join(one.roles)})</button></form>"
        for one in sorted(_people().values(), key=lambda one: one.roles)
    )
    return _PAGE.format(known=buttons, fields=fields)


async def _form(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]


async def show_sign_in(request: Request) -> Response:
    """`GET /authorize`: the page, or at once the refusal of a request that is none."""
    return _signing().refused(request) or HTMLResponse(_page(request), headers={"Cache-Control": "no-store"})


async def sign_in(request: Request) -> Response:
    """`POST /authorize`, with the same query: `sub`, `name`, ... and `role`s, or the `sub` alone of somebody known."""
    form = await _form(request)
    try:
        person = _person(dict(form), [value for name, value in form if name == "role"])
    except ValueError as wrong:
        return JSONResponse({"error": "invalid_request", "error_description": str(wrong)}, 400)
    return _signing().authorize(request, [], person)


async def token(request: Request) -> Response:
    """`POST /token`."""
    return _signing().token(request, await _form(request))


async def userinfo(request: Request) -> Response:
    """`GET /userinfo`: the claims of the access token in hand."""
    from joserfc import errors, jwt  # noqa: PLC0415 - see above

    bearer = request.headers.get("authorization", "").partition(" ")[2]
    try:
        claims = jwt.decode(bearer, _signing().keys, algorithms=["ES256"]).claims
        jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
    except (errors.JoseError, ValueError):
        return JSONResponse({"error": "invalid_token"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return JSONResponse({name: claims[name] for name in _FIELDS if name in claims})


def build() -> ASGIApp:
    """The identity provider from its settings. Its files are read at each request: rotating is writing them anew."""

    def keys(_: Request) -> Response:
        return Response(Path(setting("JWKS_FILE")).read_bytes(), media_type="application/json")

    async def metadata(_: Request) -> Response:
        return JSONResponse(configuration(setting("JWT_ISSUER")))

    app = application(
        [
            Route("/.well-known/jwks.json", keys),
            Route("/.well-known/openid-configuration", metadata),
            Route("/.well-known/oauth-authorization-server", metadata),
            Route("/authorize", show_sign_in, methods=["GET"]),
            Route("/authorize", sign_in, methods=["POST"]),
            Route("/token", token, methods=["POST"]),
            Route("/userinfo", userinfo, methods=["GET"]),
        ]
    )
    return CORSMiddleware(app, allow_origins=["*"], allow_headers=["Authorization"], allow_methods=["GET", "POST"])


if __name__ == "__main__":
    serve(build())
