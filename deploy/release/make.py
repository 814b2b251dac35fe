"""A release in one go: `make release` writes `dist/`, from what is committed alone.

Wheels of every package, the npm packages, the manifests as rendered, what everything depends on (an SBOM in CycloneDX's
form for Python and for each npm package), the list of licences, the images by their digests where `REGISTRY` says to
where they go, and the checksums of all of it. It stops where the tree has changes, a licence is not one of those below,
or the index knows a weakness of a version that we use.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deploy.release import images
from deploy.release.commands import DIST, ROOT, Refused, run

from booking_local.packages import UnavailableError, node_alone, python_with

HERE = Path(__file__).parent
UV = ROOT / ".tools/uv/bin/uv"
NPM = ("clients/typescript", "clients/events", "gateway/src/booking_gateway/assets")
"""Folders with a `package.json`; the gateway's is no package, but what its pages are made of."""

PERMISSIVE = ("MIT", "MIT-0", "BSD", "Apache", "ISC", "PSF", "Python-2.0", "0BSD", "Unlicense", "CC0", "Zlib", "CNRI")
WEAK = ("LGPL", "MPL")
"""Used as libraries and unchanged, which is all that these ask."""
LOOKED_UP = {"protobuf": "BSD-3-Clause", "htmx.org": "0BSD"}
"""What a package says where no tool reads it: in words, or in a file alone."""


def wheels() -> None:
    """Every package of ours, as PyPI's clients install it."""
    run(UV, "build", "--quiet", "--all-packages", "--wheel", "--out-dir", DIST / "wheels")


async def npm() -> None:
    """The npm packages, built from their locks, and what each depends on."""
    node = await node_alone()
    cli = node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    (DIST / "npm").mkdir()
    found = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
    for source in NPM:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "package"
            shutil.copytree(ROOT / source, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
            bill = run(
                node, cli, "sbom", "--sbom-format=cyclonedx", "--package-lock-only", "--omit=dev", cwd=copy, PATH=found
            )
            name = json.loads((copy / "package.json").read_text("utf-8"))["name"]
            (DIST / "sbom").mkdir(exist_ok=True)
            (DIST / "sbom" / f"{name}.cdx.json").write_text(bill, "utf-8")
            if source.startswith("clients/"):
                run(node, cli, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=copy, PATH=found)
                run(node, cli, "run", "build", cwd=copy, PATH=found)
                shutil.copy(ROOT / "LICENSE", copy)
                run(node, cli, "pack", "--pack-destination", DIST / "npm", cwd=copy, PATH=found)


async def bill_of_materials() -> None:
    """What the services and the gateway run on, looked up in an environment that has that alone."""
    tools = await python_with(HERE / "tools.txt")
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        run(UV, "sync", "--quiet", "--frozen", "--no-default-groups", UV_PROJECT_ENVIRONMENT=str(environment))
        bill = DIST / "sbom/booking.cdx.json"
        run(
            *(tools, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--of", "JSON", "-o", bill),
            environment / "bin/python",
        )


def all_licences() -> None:
    """The list, of every SBOM; Refused where nobody has looked at one."""
    bills = [json.loads(path.read_text("utf-8")) for path in sorted((DIST / "sbom").iterdir())]
    found = {name: told for bill in bills for name, told in licences(bill).items()}
    (DIST / "licences.tsv").write_text(listed(found), "utf-8")
    if unknown := [f"{name} ({licence})" for name, (_, licence) in found.items() if not is_known(licence)]:
        raise Refused(f"these have a licence that nobody has looked at: {', '.join(unknown)} (deploy/release/make.py)")


def licences(bill: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Version and licence of each component of an SBOM, by its name; ours are left out."""
    return {
        one["name"]: (one["version"], LOOKED_UP.get(one["name"]) or _licence(one.get("licenses", [])))
        for one in sorted(bill["components"], key=lambda one: one["name"].lower())
        if not one["name"].startswith("booking")
    }


def _licence(told: Iterable[Mapping[str, Any]]) -> str:
    names = [one.get("expression") or one["license"].get("id") or one["license"].get("name", "") for one in told]
    short = [name for name in names if len(name) < 80] or ["none told"]
    return " or ".join(dict.fromkeys(name.removeprefix("License :: OSI Approved :: ") for name in short))


def is_known(licence: str) -> bool:
    """Whether it is one that we may use and hand on with what we hand on."""
    return any(word in licence for word in (*PERMISSIVE, *WEAK)) and "AGPL" not in licence


def listed(found: Mapping[str, tuple[str, str]]) -> str:
    """The list as a table for any tool."""
    rows = [("package", "version", "licence"), *((name, *told) for name, told in found.items())]
    return "".join("\t".join(row) + "\n" for row in rows)


async def audit() -> None:
    """Weaknesses that the index knows of our versions. Not every index tells any: then `dist/audit.txt` says so."""
    tools = await python_with(HERE / "tools.txt")
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as pinned:
        text = run(UV, "export", "--quiet", "--frozen", "--no-default-groups", "--no-emit-workspace", "--no-hashes")
        pinned.write("\n".join(line for line in text.splitlines() if not line.startswith(("-e ", "./"))))
        pinned.flush()
        options = ("--disable-pip", "--no-deps", "--format=json", "--progress-spinner=off")
        done = subprocess.run(
            [str(tools), "-m", "pip_audit", *options, "-r", pinned.name], capture_output=True, text=True, check=False
        )
    said = verdict(done.stdout, done.stderr)
    print(said)
    (DIST / "audit.txt").write_text(said + "\n", "utf-8")


def verdict(output: str, errors: str) -> str:
    """What came of an audit, in a sentence; Refused when a version of ours has a known weakness."""
    try:
        asked = json.loads(output)["dependencies"]
    except ValueError:
        words = errors.strip().splitlines() or ["no answer"]
        return f"audit: the index could not be asked for known weaknesses ({words[-1]})"
    weak = [f"{one['name']} {one['version']}: {it['id']}" for one in asked for it in one.get("vulns", [])]
    if weak:
        raise Refused(f"known weaknesses, raise these in uv.lock: {'; '.join(weak)}")
    skipped = [one["name"] for one in asked if "skip_reason" in one]
    if len(skipped) == len(asked):
        return f"audit: this index tells no weaknesses, of none of {len(asked)} packages"
    rest = f", {len(skipped)} could not be asked about: {', '.join(skipped)}" if skipped else ""
    return f"audit: no known weakness in {len(asked) - len(skipped)} packages{rest}"


def checksums() -> int:
    """`SHA256SUMS`, as `sha256sum --check` reads it; the number of files."""
    files = sorted(path for path in DIST.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(DIST)}\n" for path in files]
    (DIST / "SHA256SUMS").write_text("".join(lines), "utf-8")
    return len(files)


async def release() -> None:
    """All of it, in the order in which it is likely to be refused."""
    if changed := run("git", "status", "--porcelain").strip():
        raise Refused(f"commit or remove first:\n{changed}")
    shutil.rmtree(DIST, ignore_errors=True)
    (DIST / "sbom").mkdir(parents=True)
    await bill_of_materials()
    await audit()
    wheels()
    await npm()
    all_licences()
    shutil.copytree(ROOT / "deploy/kubernetes/rendered", DIST / "kubernetes")
    images.release(os.environ.get("REGISTRY", ""), os.environ.get("PYTHON_IMAGE", images.BASE))
    for name in ("LICENSE", "CHANGELOG.md", "SECURITY.md"):
        shutil.copy(ROOT / name, DIST)
    (DIST / "COMMIT").write_text(run("git", "rev-parse", "HEAD"), "utf-8")
    print(f"dist: {checksums()} files of {run('git', 'rev-parse', '--short', 'HEAD').strip()}")


def main() -> int:
    """1 and a sentence when it is refused."""
    try:
        asyncio.run(release())
    except (Refused, UnavailableError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
