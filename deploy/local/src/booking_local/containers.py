"""What the containers of docker-compose.yml need before the services start. `python -m booking_local.containers STEP`

`secrets` makes the passwords and keys of this installation, once, in the folder BOOKING_STATE, and beside it a folder
of secret files per container (its SECRETS_DIR) with what that one needs. `provision` creates roles, databases, topics.
Both may run again at any time.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from booking_local.layout import Layout, replace_private
from booking_local.stack.secrets import DATABASES, Secrets, load, load_or_make

POSTGRES_HOST = "postgres:5432"
KAFKA_BOOTSTRAP = "kafka:9092"


def write_secret_files(layout: Layout, secrets: Secrets) -> None:
    """One file per secret setting, named as the setting, in a folder beside the installation's per container.

    The run-time role alone goes to a service, its owner's address to its migration; the superuser's password to the
    server, the signing key to the identity.
    """
    own: dict[str, dict[str, str]] = {
        "postgres": {"postgres_password": secrets.postgres_superuser},
        "identity": {
            "secrets.json": json.dumps({"signing_key": secrets.signing_key, "signing_kid": secrets.signing_kid}),
            "jwks.json": layout.jwks.read_text("utf-8"),
        },
        "payments": _payments(secrets),
        "whatsapp": _whatsapp(secrets),
        "checkout": _payments(secrets),
        "consultation": {},
        "notifier": _whatsapp(secrets),
        "calendar": {"feed_secret": secrets.feed_secret},
    }
    for name in DATABASES:
        own[name]["database_url"] = _url(secrets, name, "app")
        own[f"{name}-migrate"] = own[name] | {"database_owner_url": _url(secrets, name, "owner")}
    for name, settings in own.items():
        folder = layout.folder.parent / name
        folder.mkdir(exist_ok=True)
        for setting, value in settings.items():
            replace_private(folder / setting, value)


def _payments(secrets: Secrets) -> dict[str, str]:
    return {"midtrans_server_key": secrets.midtrans_server_key, "manual_secret": secrets.manual_secret}


def _whatsapp(secrets: Secrets) -> dict[str, str]:
    return {
        "whatsapp_token": secrets.whatsapp_token,
        "whatsapp_app_secret": secrets.whatsapp_app_secret,
        "whatsapp_verify_token": secrets.whatsapp_verify_token,
    }


def _url(secrets: Secrets, name: str, role: str) -> str:
    user = f"{name}_{role}"
    return f"postgresql://{user}:{secrets.postgres_roles[user]}@{POSTGRES_HOST}/{name}"


def provision(secrets: Secrets) -> None:
    """Create the roles, databases and topics that are missing."""
    from booking_contracts.topics import create_topics  # noqa: PLC0415  (`secrets` needs no Kafka client)
    from booking_local.stack import databases  # noqa: PLC0415

    databases.provision(
        f"postgresql://postgres:{secrets.postgres_superuser}@{POSTGRES_HOST}/postgres", secrets.postgres_roles
    )
    asyncio.run(create_topics(KAFKA_BOOTSTRAP))


def main() -> None:
    """Run one step."""
    layout = Layout(Path(os.environ["BOOKING_STATE"]))
    match sys.argv[1:]:
        case ["secrets"]:
            layout.folder.mkdir(parents=True, exist_ok=True)
            write_secret_files(layout, load_or_make(layout))
        case ["provision"]:
            provision(load(layout))
        case _:
            sys.exit("usage: python -m booking_local.containers secrets|provision")


if __name__ == "__main__":
    main()
