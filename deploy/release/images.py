"""The images of a release: built on a base by its digest, pushed, deployed by the digests that the registry gave them.

What is built, and of what, is docker-compose.yml's to say. `REGISTRY` is where they go (registry.example.org/booking),
`PYTHON_IMAGE` the base that your registry vouches for.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml
from deploy.release.commands import DIST, ROOT, Refused, run

BASE = "python:3.13-slim"
VERSION = re.compile(r'^version = "(.+)"$', re.MULTILINE)
_IMAGE = re.compile(r"^(?P<before>\s*(?:- )?image: )(?P<name>booking-[a-z-]+):\S+$", re.MULTILINE)


def release(registry: str, base: str) -> None:
    """Builds, pushes and writes `images.tsv`, `compose.images.yaml` and the manifests by digest; says so where nothing
    is to be pushed. Refused when an image has no digest, or a manifest names one that was not built."""
    if not registry:
        print("images: none, REGISTRY does not say where they go; the manifests name them without digests")
        return
    base = resolved(base)
    compose: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    references = {name: pushed(name, arguments, registry, base) for name, arguments in ours(compose).items()}
    for path in sorted((DIST / "kubernetes").iterdir()):
        path.write_text(pinned(path.read_text("utf-8"), references), "utf-8")
    strangers = sorted({told["image"] for told in compose.values()} - references.keys())
    named = references | {name: found for name in strangers if (found := _of_others(name))}
    (DIST / "compose.images.yaml").write_text(override(compose, named), "utf-8")
    rows = [("image", "reference"), (base.partition("@")[0], base), *named.items()]
    (DIST / "images.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), "utf-8")


def ours(compose: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Each image that docker-compose.yml builds, with PACKAGE and PROGRAM."""
    return {
        told["image"]: {name: told["build"]["args"][name] for name in ("PACKAGE", "PROGRAM")}
        for told in compose.values()
        if "build" in told
    }


def pushed(name: str, arguments: Mapping[str, str], registry: str, base: str) -> str:
    """Built of what is committed, pushed; the reference by digest."""
    found = VERSION.search((ROOT / "pyproject.toml").read_text("utf-8"))
    assert found is not None
    target = f"{registry}/{name}:{found[1]}"
    told = {**arguments, "PYTHON_IMAGE": base, "BUILD_REVISION": run("git", "rev-parse", "HEAD").strip()}
    words = [word for key, value in told.items() for word in ("--build-arg", f"{key}={value}")]
    print(f"image {target}: building", flush=True)
    run("docker", "build", "--quiet", "--file", "deploy/docker/Dockerfile", *words, "--tag", target, ".")
    run("docker", "push", "--quiet", target)
    reference = by_digest(target, _digests(target))
    print(f"image {reference}: pushed", flush=True)
    return reference


def resolved(reference: str) -> str:
    """What a tag means today in its registry, by digest; one that is told by digest is taken at its word."""
    if "@sha256:" in reference:
        return reference
    run("docker", "pull", "--quiet", reference)
    return by_digest(reference, _digests(reference))


def _of_others(reference: str) -> str | None:
    """As `resolved`; None, and a sentence, where no registry tells: it is what it was, by its tag."""
    try:
        return resolved(reference)
    except Refused as error:
        print(f"image {reference}: left by its tag ({str(error).splitlines()[-1]})", flush=True)
        return None


def _digests(reference: str) -> list[str]:
    told: list[str] | None = json.loads(
        run("docker", "image", "inspect", "--format", "{{json .RepoDigests}}", reference)
    )
    return told or []


def by_digest(reference: str, digests: list[str]) -> str:
    """The one of the image's digests that is of the reference's repository; Refused where there is none."""
    folder, slash, last = reference.rpartition("/")
    repository = folder + slash + last.partition(":")[0]
    for digest in digests:
        if digest.partition("@")[0] == repository:
            return digest
    raise Refused(f"{reference} has no digest of {repository}: it never was in that registry")


def pinned(manifests: str, references: Mapping[str, str]) -> str:
    """Rendered manifests with each image of ours by its digest; Refused when one was not built."""

    def replaced(found: re.Match[str]) -> str:
        if found["name"] not in references:
            raise Refused(f"the manifests name {found['name']}, which docker-compose.yml does not build")
        return found["before"] + references[found["name"]]

    return _IMAGE.sub(replaced, manifests)


def override(compose: Mapping[str, Any], references: Mapping[str, str]) -> str:
    """For `docker compose --file docker-compose.yml --file dist/compose.images.yaml up`: what we build is pulled, and
    whatever has a digest is told by it."""
    lines = ["services:"]
    for name, told in compose.items():
        if told["image"] not in references:
            continue
        lines += [f"  {name}:", f"    image: {references[told['image']]}"]
        lines += ["    build: !reset null"] if "build" in told else []
    return "\n".join(lines) + "\n"
