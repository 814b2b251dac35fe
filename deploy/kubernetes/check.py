"""Manifests against the schemas, strictly: `python -m deploy.kubernetes.check FILE...` (without any: what is rendered).

Kubernetes' own kinds by `kubernetes-validate`, at the oldest and newest version that docs/kubernetes.md names; those of
operators by `schemas/`. An unknown kind, an unknown field and a value of another type are refused, as
`kubeconform -strict` does.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.exceptions import NoSuchResource

HERE = Path(__file__).parent
VERSIONS = ("1.32", "1.37")
_KUBERNETES = files(kubernetes_validate).joinpath("kubernetes-json-schema")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(text: str) -> list[dict[str, Any]]:
    """The resources of a YAML file."""
    return [one for one in yaml.load_all(text, Loader=_Loader) if one]


def problems(text: str) -> list[str]:
    """A sentence for everything in these manifests that a server would refuse or ignore; none when all is well."""
    return [
        f"{found['kind']} {found['metadata']['name']}: {problem}"
        for found in documents(text)
        for problem in _problems(found)
    ]


def _problems(found: Mapping[str, Any]) -> Iterator[str]:
    kind, api = found["kind"], found["apiVersion"]
    if schema := _schemas().get((api, kind)):
        yield from (f"{_place(error.absolute_path)}: {error.message}" for error in schema.iter_errors(found))
        return
    for version in VERSIONS:
        schema = _kubernetes(version, kind, api)
        if schema is None:
            yield f"Kubernetes {version} has no {api} {kind}, and schemas/ has none"
        else:
            where = f"(Kubernetes {version})"
            yield from (
                f"{_place(error.absolute_path)}: {error.message} {where}" for error in schema.iter_errors(found)
            )


@cache
def _kubernetes(version: str, kind: str, api: str) -> Draft202012Validator | None:
    """As kubernetes-validate's own `validate` with strict=True, which reads all definitions anew for each resource."""
    group, _, name = api.rpartition("/")
    stem = f"{kind.lower()}-{group.partition('.')[0]}-{name}" if group else f"{kind.lower()}-{name}"
    path = _KUBERNETES.joinpath(f"v{version}.0-local-strict", f"{stem}.json")
    if not path.is_file():
        return None
    return Draft202012Validator(json.loads(path.read_text("utf-8")), registry=_registry(version))


@cache
def _registry(version: str) -> Registry[Any]:
    path = _KUBERNETES.joinpath(f"v{version}.0-local-strict", "_definitions.json")
    definitions = Resource.from_contents(json.loads(path.read_text("utf-8")))

    def retrieve(uri: str) -> Resource[Any]:
        if uri.endswith("_definitions.json"):
            return definitions
        raise NoSuchResource(uri)

    return Registry(retrieve=retrieve)  # pyright: ignore[reportCallIssue]


@cache
def _schemas() -> dict[tuple[str, str], Draft202012Validator]:
    found = [json.loads(path.read_text("utf-8")) for path in (HERE / "schemas").glob("*.json")]
    return {
        (one["properties"]["apiVersion"]["const"], one["properties"]["kind"]["const"]): Draft202012Validator(one)
        for one in found
    }


def _place(path: Any) -> str:
    return ".".join(str(part) for part in path) or "the whole"


def main() -> int:
    """Print what is wrong; 1 when something is."""
    paths = [Path(one) for one in sys.argv[1:]] or sorted((HERE / "rendered").glob("*.yaml"))
    wrong = 0
    for path in paths:
        text = path.read_text("utf-8")
        found = problems(text)
        wrong += len(found)
        print(f"{path.name}: {len(documents(text))} resources, {len(found)} problems", *found, sep="\n  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
