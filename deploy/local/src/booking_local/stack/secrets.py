"""The stack's passwords and keys, made once per state folder, readable by its owner alone; tokens signed by them."""

import json
import secrets
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from booking_contracts.access import principals
from booking_local.failure import Failure
from booking_local.layout import Layout, replace_private

ISSUER = "https://identity.booking.local"
"""Of a stack that has not been up yet; then it is the identity provider's address, where clients look for it."""
AUDIENCE = "booking"
DATABASES = ("checkout", "consultation", "notifier", "calendar")
PRINCIPALS = {**{name: name for name in DATABASES}, "calendar": "calendar-projector", "gateway": "gateway"}
"""Who each program is at a secured broker."""


def _word() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Secrets:
    """Everything secret of one stack. New fields are filled in for folders of older versions."""

    signing_key: str  # PEM, EC P-256
    signing_kid: str = field(default_factory=lambda: secrets.token_hex(8))
    postgres_superuser: str = field(default_factory=_word)
    postgres_roles: dict[str, str] = field(
        default_factory=lambda: {f"{name}_{role}": _word() for name in DATABASES for role in ("owner", "app")}
    )
    kafka_users: dict[str, str] = field(default_factory=lambda: {name: _word() for name in principals()})
    manual_secret: str = field(default_factory=_word)
    midtrans_server_key: str = field(default_factory=lambda: f"SB-Mid-server-{_word()}")
    whatsapp_token: str = field(default_factory=_word)
    whatsapp_app_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    whatsapp_verify_token: str = field(default_factory=_word)
    feed_secret: str = field(default_factory=_word)
    client_secret: str = field(default_factory=_word)
    session_secret: str = field(default_factory=_word)
    issuer: str = ISSUER

    @property
    def payments(self) -> dict[str, str]:
        """The settings that checkout and the payment provider share."""
        return {"MIDTRANS_SERVER_KEY": self.midtrans_server_key, "MANUAL_SECRET": self.manual_secret}

    @property
    def whatsapp(self) -> dict[str, str]:
        """The settings that the notifier and WhatsApp share."""
        return {
            "WHATSAPP_TOKEN": self.whatsapp_token,
            "WHATSAPP_APP_SECRET": self.whatsapp_app_secret,
            "WHATSAPP_VERIFY_TOKEN": self.whatsapp_verify_token,
        }

    def database_url(self, host: str, name: str, role: str) -> str:
        """One service's database, as `owner` or `app`. `host`: host and port, several of them with commas between;
        what libpq shall know besides behind a `?`."""
        user = f"{name}_{role}"
        hosts, mark, parameters = host.partition("?")
        return f"postgresql://{user}:{self.postgres_roles[user]}@{hosts}/{name}{mark}{parameters}"


def load_or_make(layout: Layout, issuer: str | None = None) -> Secrets:
    """The folder's secrets; the JWKS file is written beside them. `issuer` is whose name is in tokens from now on."""
    kept: dict[str, Any] = json.loads(layout.secrets.read_text("utf-8")) if layout.secrets.exists() else {}
    known = {name: value for name, value in kept.items() if name in Secrets.__dataclass_fields__}
    if "signing_key" not in known:
        known["signing_key"] = _new_signing_key()
    if issuer is not None:
        known["issuer"] = issuer
    made = Secrets(**known)
    if asdict(made) != kept:
        replace_private(layout.secrets, json.dumps(asdict(made), indent=1))
    if not layout.jwks.exists() or made.signing_kid not in layout.jwks.read_text("utf-8"):
        layout.jwks.write_text(json.dumps({"keys": [_public_jwk(made)]}), "utf-8")
    return made


def load(layout: Layout) -> Secrets:
    """The secrets of a folder that has been up. Raises Failure for any other, and makes nothing there."""
    try:
        return Secrets(**json.loads(layout.secrets.read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        raise Failure(
            f"No stack has been up in {layout.folder}: run `booking up --detach` first, or name another by --state."
        ) from None
    except (ValueError, TypeError):
        raise Failure(f"{layout.secrets} can't be read: it isn't what `booking up` wrote.") from None


def _new_signing_key() -> str:
    from cryptography.hazmat.primitives import serialization  # only the first start needs it
    from cryptography.hazmat.primitives.asymmetric import ec

    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def _public_jwk(made: Secrets) -> dict[str, Any]:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from jwt.algorithms import ECAlgorithm

    public: Any = load_pem_private_key(made.signing_key.encode(), None).public_key()
    return {**ECAlgorithm.to_jwk(public, as_dict=True), "kid": made.signing_kid, "use": "sig", "alg": "ES256"}


def sign(secrets: Secrets, *, roles: list[str], sub: str, seconds: int = 12 * 3600, **claims: Any) -> str:
    """A token as an OIDC provider would give it: `typ: at+jwt`, all claims that services ask for."""
    import jwt  # slow to import

    now = int(time.time())
    payload = {
        "iss": secrets.issuer,
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
