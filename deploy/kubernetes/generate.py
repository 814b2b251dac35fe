"""Writes what follows from other places: `python -m deploy.kubernetes.generate`.

- Kafka's topics and users, from the topic catalogue (booking_contracts.topics, .access).
- Prometheus' rules as a resource, from deploy/observability/rules.
- components/external-secrets, from what programs need of secrets (secrets.py).
- `rendered/`, each overlay as `kustomize build` gives it, where kustomize is found: what is applied can be read, and is
  validated without it.

Without an argument all of it is written; a test holds what is committed equal to it.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from deploy.kubernetes import secrets

from booking_contracts.access import grants, principals
from booking_contracts.topics import TOPICS, Topic

HERE = Path(__file__).parent
OVERLAYS = ("small", "production")
CLUSTER = "booking"

_HEAD = "# Made of the topic catalogue by `python -m deploy.kubernetes.generate`; change that, not this.\n"
_API = "kafka.strimzi.io/v1"
_LABELS = {"strimzi.io/cluster": CLUSTER}


def topics() -> str:
    """A KafkaTopic for each topic of the catalogue; of three replicas two must have what is acknowledged."""
    return _HEAD + _documents(_topic(topic) for topic in TOPICS)


def users() -> str:
    """A KafkaUser for each principal, with the permissions that follow from who writes and reads what."""
    return _HEAD + _documents(_user(principal) for principal in principals())


def external_secrets() -> str:
    """An ExternalSecret for each Secret that programs and databases need."""
    head = _HEAD.replace("the topic catalogue", "deploy/kubernetes/secrets.py")
    return head + _documents(one for name in secrets.OWN for one in secrets.external(name))


def rules() -> str:
    """A PrometheusRule for each file of rules."""
    head = _HEAD.replace("the topic catalogue", "deploy/observability/rules")
    files = sorted((HERE.parent / "observability/rules").glob("*.yml"))
    return head + _documents(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"booking-{file.stem}"},
            "spec": {"groups": yaml.safe_load(file.read_text("utf-8"))["groups"]},
        }
        for file in files
    )


def kustomize() -> list[str] | None:
    """The command that renders a folder, kustomize's own or kubectl's; None where neither is found."""
    if path := shutil.which("kustomize"):
        return [path, "build"]
    if path := shutil.which("kubectl"):
        return [path, "kustomize"]
    return None


def render(command: list[str], folder: Path) -> str:
    """What `kustomize build` makes of a folder; RuntimeError with its words when it refuses."""
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def _topic(topic: Topic) -> Mapping[str, Any]:
    config = {**topic.config, "min.insync.replicas": "2"}
    return {
        "apiVersion": _API,
        "kind": "KafkaTopic",
        "metadata": {"name": topic.name, "labels": _LABELS},
        "spec": {"partitions": topic.partitions, "replicas": 3, "config": config},
    }


def _user(principal: str) -> Mapping[str, Any]:
    operations: dict[tuple[str, str, bool], list[str]] = {}
    for grant in grants(principal):
        operations.setdefault((grant.resource, grant.name, grant.prefixed), []).append(grant.operation)
    acls = [
        {
            "resource": {"type": kind, "name": name, "patternType": "prefix" if prefixed else "literal"},
            "operations": found,
            "host": "*",
        }
        for (kind, name, prefixed), found in operations.items()
    ]
    return {
        "apiVersion": _API,
        "kind": "KafkaUser",
        "metadata": {"name": principal, "labels": _LABELS},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": acls},
        },
    }


def _documents(found: Iterable[Mapping[str, Any]]) -> str:
    return "---\n".join(yaml.dump(dict(one), sort_keys=False, width=160, Dumper=_NoAliases) for one in found)


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's own
        return True


def main() -> int:
    """Write everything that can be written here."""
    (HERE / "base/kafka/topics.yaml").write_text(topics(), "utf-8")
    (HERE / "base/kafka/users.yaml").write_text(users(), "utf-8")
    (HERE / "components/external-secrets/secrets.yaml").write_text(external_secrets(), "utf-8")
    (HERE / "components/monitoring/rules.yaml").write_text(rules(), "utf-8")
    if (command := kustomize()) is None:
        print("neither kustomize nor kubectl is found: rendered/ stays as it is", file=sys.stderr)
        return 0
    for name in OVERLAYS:
        (HERE / "rendered" / f"{name}.yaml").write_text(render(command, HERE / "overlays" / name), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
