"""Secrets and signatures as the Standard Webhooks specification says, by its own library.

A secret is `whsec_` and the base64 of 32 random bytes. It is kept as it is, since an HMAC needs it; it is shown when it
is made and never again.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

CONTENT_TYPE = "application/json"


def new_secret() -> str:
    """A secret that nobody has seen."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(secrets_: Sequence[str], webhook_id: str, at: datetime, body: str) -> dict[str, str]:
    """The headers of one try, made at `at` (UTC): one signature by each secret, the newest first."""
    signatures = [Webhook(secret).sign(webhook_id, at, body) for secret in secrets_]
    return {
        "content-type": CONTENT_TYPE,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
