"""The secrets of an installation, told once for both ways to have them.

- `python -m deploy.kubernetes.secrets NAME=VALUE... | kubectl create -f -` makes them, once, with random passwords.
- components/external-secrets takes the same out of a secret store (`python -m deploy.kubernetes.generate` writes it).

A program finds its own as files in SECRETS_DIR, each named as its setting. A service's app Secret is its api's and
worker's; the owner's address is the migration's alone; the audit has each service's address in a Secret of its own,
which names that server's CA among the four; PostgreSQL's operator gets both passwords. Kafka's operator makes those of
its users itself.
"""

import json
import secrets
import sys
from collections.abc import Mapping
from typing import Any

SERVICES = ("checkout", "consultation", "notifier", "calendar")
OWN: Mapping[str, tuple[str, ...]] = {
    "checkout": ("midtrans_server_key", "manual_secret"),
    "consultation": (),
    "notifier": ("smtp_username", "smtp_password", "whatsapp_token", "whatsapp_app_secret", "whatsapp_verify_token"),
    "calendar": ("feed_secret",),
    "gateway": ("session_secret",),
}
"""The secret settings of each program beside its database's address and its Kafka password."""

RANDOM = frozenset(
    {"manual_secret", "feed_secret", "session_secret", "whatsapp_verify_token", "app_password", "owner_password"}
)
"""What nobody else gives us."""

_SERVER = "{name}-db-rw:5432/{name}?sslmode=verify-full&sslrootcert=/run/postgres/{ca}"
_ADDRESS = "postgresql://{name}_{role}:{password}@" + _SERVER
_NAMESPACE = "booking"


def wanted(name: str) -> tuple[str, ...]:
    """What a program's Secrets are made of: its own, and a service's two passwords at PostgreSQL."""
    return OWN[name] if name not in SERVICES else ("app_password", "owner_password", *OWN[name])


def contents(name: str, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The Secrets of a program by their names, of one value for each of `wanted`."""
    app = {one: values[one] for one in OWN[name]}
    if name not in SERVICES:
        return {f"{name}-app": app}

    def address(role: str, ca: str = "ca.crt") -> str:
        return _ADDRESS.format(name=name, role=role, password=values[f"{role}_password"], ca=ca)

    return {
        f"{name}-app": {"database_url": address("app"), "database_direct_url": address("app"), **app},
        f"{name}-owner": {"database_owner_url": address("owner")},
        f"{name}-audit": {f"{name}_database_url": address("app", f"{name}/ca.crt")},
        f"{name}-db-app": {"username": f"{name}_app", "password": values["app_password"]},
        f"{name}-db-owner": {"username": f"{name}_owner", "password": values["owner_password"]},
    }


def metadata(secret: str) -> tuple[dict[str, str], str]:
    """A Secret's labels and type. PostgreSQL's operator takes a password over as soon as it changes."""
    if secret.endswith(("-db-app", "-db-owner")):
        return {"cnpg.io/reload": "true"}, "kubernetes.io/basic-auth"
    return {}, "Opaque"


def external(name: str) -> list[dict[str, Any]]:
    """ExternalSecrets of a program: one entry `booking/<name>` of the store, with a property for each of `wanted`."""
    found: list[dict[str, Any]] = []
    for secret, data in contents(name, {one: f"{{{{ .{one} }}}}" for one in wanted(name)}).items():
        labels, kind = metadata(secret)
        template = {"type": kind, **({"metadata": {"labels": labels}} if labels else {}), "data": data}
        needed = [one for one in wanted(name) if any(f".{one} " in text for text in data.values())]
        found.append(
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": "ExternalSecret",
                "metadata": {"name": secret},
                "spec": {
                    "refreshInterval": "5m",
                    "secretStoreRef": {"kind": "ClusterSecretStore", "name": "booking"},
                    "target": {"creationPolicy": "Owner", "template": template},
                    "data": [
                        {"secretKey": one, "remoteRef": {"key": f"booking/{name}", "property": one}} for one in needed
                    ],
                },
            }
        )
    return found


def manifests(given: Mapping[str, str]) -> list[dict[str, Any]]:
    """Secrets to create. KeyError names what is neither given nor ours to make."""
    found: list[dict[str, Any]] = []
    for name in OWN:
        values = {one: given[one] if one in given else _made(one) for one in wanted(name)}
        for secret, data in contents(name, values).items():
            labels, kind = metadata(secret)
            found.append(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": secret, "namespace": _NAMESPACE, "labels": labels},
                    "type": kind,
                    "stringData": data,
                }
            )
    return found


def _made(name: str) -> str:
    if name not in RANDOM:
        raise KeyError(name)
    return secrets.token_urlsafe(32)


def main() -> int:
    """Print the Secrets as one list; 1 and a sentence where a value is missing or unknown."""
    parts = [pair.partition("=") for pair in sys.argv[1:]]
    given = {name: value for name, _, value in parts}
    known = {one for names in OWN.values() for one in names}
    if unknown := given.keys() - known:
        print(f"no secret of ours: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}", file=sys.stderr)
        return 1
    try:
        items = manifests(given)
    except KeyError as missing:
        print(f"{missing.args[0]} is missing: give it as {missing.args[0]}=VALUE", file=sys.stderr)
        return 1
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
