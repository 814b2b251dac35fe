"""For tests of services: an issuer whose tokens the application accepts, without any server.

issuer = Issuer.install(app)
response = await client.get("/v1/me", headers=issuer.bearer("member", sub=member))
"""

import json
import time
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from jwt.algorithms import ECAlgorithm

from booking_process.settings import ServiceSettings

KEY_ID = "test-key"


class Issuer:
    """Signs access tokens as an identity provider would (RFC 9068)."""

    def __init__(self, *, issuer: str, audience: str = "booking", kid: str = KEY_ID) -> None:
        self.issuer = issuer
        self.audience = audience
        self.kid = kid
        self.key = ec.generate_private_key(ec.SECP256R1())

    @classmethod
    def install(cls, app: FastAPI, settings: ServiceSettings | None = None) -> "Issuer":
        """An issuer that `app` trusts, by the issuer and audience of its settings."""
        settings = settings or app.state.settings
        assert settings is not None
        made = cls(issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        app.state.keys.take(made.jwks())
        return made

    def jwks(self) -> bytes:
        """The key set that the issuer publishes."""
        entry: dict[str, Any] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [entry | {"kid": self.kid, "use": "sig", "alg": "ES256"}]}).encode()

    def claims(self, *roles: str, sub: UUID | str | None = None, **more: Any) -> dict[str, Any]:
        """The claims of a good token; `more` adds or replaces some."""
        now = int(time.time())
        return {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(sub or uuid4()),
            "iat": now,
            "exp": now + 3600,
            "jti": str(uuid4()),
            "roles": list(roles),
        } | more

    def token(self, *roles: str, sub: UUID | str | None = None, **more: Any) -> str:
        """A signed token of these roles."""
        return self.sign(self.claims(*roles, sub=sub, **more))

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Any claims, signed; `header` adds or replaces header fields."""
        payload = json.dumps(claims).encode()  # jwt.encode() would refuse some of what a hostile issuer writes
        headers = {"kid": self.kid, "typ": "at+jwt"} | header
        return jwt.PyJWS().encode(payload, self.key, algorithm="ES256", headers=headers)

    def bearer(self, *roles: str, sub: UUID | str | None = None, **more: Any) -> dict[str, str]:
        """The request header with such a token."""
        return {"Authorization": f"Bearer {self.token(*roles, sub=sub, **more)}"}
