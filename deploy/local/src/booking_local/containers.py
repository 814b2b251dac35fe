"""What the containers of docker-compose.yml need before the services start. `python -m booking_local.containers STEP`

`secrets` makes the passwords and keys of this installation, once, in the folder BOOKING_STATE: a folder of secret files
per service (its SECRETS_DIR) and `postgres_password` for the server. `provision` creates roles, databases and topics.
Both may run again at any time.
"""

import asyncio
import os
import sys
from pathlib import Path

from booking_local.stack.layout import Layout
from booking_local.stack.secrets import DATABASES, Secrets, load, load_or_make

POSTGRES_HOST = "postgres:5432"
KAFKA_BOOTSTRAP = "kafka:9092"


def write_secret_files(layout: Layout, secrets: Secrets) -> None:
    """One file per secret setting, named as the setting, in a folder per process that may read it."""
    (layout.folder / "postgres_password").write_text(secrets.postgres_superuser)
    own = {
        "checkout": {"midtrans_server_key": secrets.midtrans_server_key, "manual_secret": secrets.manual_secret},
        "notifier": _whatsapp(secrets),
        "calendar": {"feed_secret": secrets.feed_secret},
        "payments": {"midtrans_server_key": secrets.midtrans_server_key, "manual_secret": secrets.manual_secret},
        "whatsapp": _whatsapp(secrets),
    }
    for name in DATABASES:
        own.setdefault(name, {})
        own[name] |= {
            f"database{infix}_url": _url(secrets, name, role) for infix, role in (("", "app"), ("_owner", "owner"))
        }
    for name, settings in own.items():
        folder = layout.folder / name
        folder.mkdir(exist_ok=True)
        for setting, value in settings.items():
            (folder / setting).write_text(value)


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
