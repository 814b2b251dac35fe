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

from booking_contracts.admin import create_topics
from booking_local.layout import Layout, replace_private
from booking_local.stack import databases
from booking_local.stack.secrets import DATABASES, Secrets, load, load_or_make

POSTGRES_HOST = "postgres:5432"
KAFKA_BOOTSTRAP = "kafka:9092"


def write_secret_files(layout: Layout, secrets: Secrets) -> None:
    """One file per secret setting, named as the setting, in a folder beside the installation's per container.

    The run-time role alone goes to a service and to the audit, which looks into all four; its owner's address to its
    migration; the superuser's password to the server, the signing key to the identity.
    """
    own: dict[str, dict[str, str]] = {
        "postgres": {"POSTGRES_PASSWORD": secrets.postgres_superuser},
        "identity": {
            "secrets.json": json.dumps(
                {"signing_key": secrets.signing_key, "signing_kid": secrets.signing_kid, "issuer": secrets.issuer}
            ),
            "jwks.json": layout.jwks.read_text("utf-8"),
            "CLIENT_SECRET": secrets.client_secret,
        },
        "payments": secrets.payments,
        "whatsapp": secrets.whatsapp,
        "checkout": secrets.payments,
        "consultation": {},
        "notifier": secrets.whatsapp,
        "calendar": {"FEED_SECRET": secrets.feed_secret},
        "gateway": {"SESSION_SECRET": secrets.session_secret},
        "ops": {},
    }
    for name in DATABASES:
        own[name]["DATABASE_URL"] = secrets.database_url(POSTGRES_HOST, name, "app")
        own[name]["DATABASE_DIRECT_URL"] = own[name]["DATABASE_URL"]  # the one is a pooler's where there is one
        own["ops"][f"{name.upper()}_DATABASE_URL"] = own[name]["DATABASE_URL"]
        own[f"{name}-migrate"] = own[name] | {"DATABASE_OWNER_URL": secrets.database_url(POSTGRES_HOST, name, "owner")}
    for name, settings in own.items():
        folder = layout.folder.parent / name
        folder.mkdir(exist_ok=True)
        for setting, value in settings.items():
            replace_private(folder / setting.lower(), value)
    _open_to_every_user(layout.folder.parent / "postgres")


def _open_to_every_user(folder: Path) -> None:
    """PostgreSQL's image reads its password as a user of its own number; no other container mounts this folder."""
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)


def provision(secrets: Secrets) -> None:
    """Create the roles, databases and topics that are missing."""
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
            write_secret_files(layout, load_or_make(layout, issuer=os.environ["JWT_ISSUER"]))
        case ["provision"]:
            provision(load(layout))
        case _:
            sys.exit("usage: python -m booking_local.containers secrets|provision")


if __name__ == "__main__":
    main()
