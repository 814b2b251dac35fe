"""Tokens for development, signed by the stack's own key."""

import time
import uuid
from typing import Any

from booking_local.stack.secrets import Secrets

ISSUER = "https://identity.booking.local"
"""A name, not an address: tokens stay good when the stack comes up on other ports."""

AUDIENCE = "booking"


def sign(secrets: Secrets, *, roles: list[str], sub: str, seconds: int = 12 * 3600, **claims: Any) -> str:
    """A token as an OIDC provider would give it: `typ: at+jwt`, all claims that services ask for."""
    import jwt  # noqa: PLC0415  (slow to import)

    now = int(time.time())
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": sub,
        "iat": now,
        "exp": now + seconds,
        "jti": str(uuid.uuid4()),
        "roles": roles,
        **{name: value for name, value in claims.items() if value is not None},
    }
    headers = {"kid": secrets.signing_kid, "typ": "at+jwt"}
    return jwt.encode(payload, secrets.signing_key, algorithm="ES256", headers=headers)
