"""The identity provider: serves the public half of the stack's own key. `python -m booking_standins.identity`

`GET /.well-known/jwks.json`, `GET /.well-known/openid-configuration`. JWKS_FILE holds the key set, JWT_ISSUER is told.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from booking_standins.serving import application, serve, setting


def build() -> ASGIApp:
    """The identity provider from its settings. The file is read at each request: rotating is writing it anew."""
    issuer = setting("JWT_ISSUER")

    def keys(_: Request) -> Response:
        return Response(Path(setting("JWKS_FILE")).read_bytes(), media_type="application/json")

    async def configuration(_: Request) -> Response:
        return JSONResponse({"issuer": issuer, "jwks_uri": f"{issuer}/.well-known/jwks.json"})

    return application(
        [Route("/.well-known/jwks.json", keys), Route("/.well-known/openid-configuration", configuration)]
    )


if __name__ == "__main__":
    serve(build())
