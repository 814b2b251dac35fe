"""Fetches the browser's files from npm as package-lock.json names them. `python -m booking_gateway.assets.fetch FOLDER`

The packages need nothing and run nothing when they are installed, so what `npm ci` would do is this: load each archive,
compare its hash, take the files that are served. Node stays out of it. npm_config_registry names a mirror.
"""

import base64
import hashlib
import hmac
import io
import json
import os
import sys
import tarfile
import urllib.request
from importlib.resources import files
from pathlib import Path

SERVED = {
    "event-calendar.min.css": ("@event-calendar/build", "dist/event-calendar.min.css"),
    "event-calendar.min.js": ("@event-calendar/build", "dist/event-calendar.min.js"),
    "htmx.min.js": ("htmx.org", "dist/htmx.min.js"),
    "pico.min.css": ("@picocss/pico", "css/pico.min.css"),
}
"""Name here → its package, and the path in it."""
_MARK = "lock.sha256"
_SECONDS = 60
_LARGEST = 20 * 2**20


class NotFetchedError(Exception):
    """The files can't be had; the message says why, and what to do."""


def are_here(folder: Path) -> bool:
    """Whether all files of the present lock are in this folder."""
    try:
        marked = (folder / _MARK).read_text("ascii") == _digest()
    except OSError:
        return False
    return marked and all((folder / name).is_file() for name in SERVED)


def fetch(folder: Path) -> None:
    """All served files into this folder. Raises NotFetchedError; the folder is then as it was."""
    packages = json.loads(_lock())["packages"]
    archives: dict[str, bytes] = {}
    for package, _path in SERVED.values():
        if package not in archives:
            locked = packages[f"node_modules/{package}"]
            archives[package] = _archive(package, locked["version"], locked["integrity"])
    found = {name: _file(archives[package], path) for name, (package, path) in SERVED.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**found, _MARK: _digest().encode("ascii")}.items():
        half = folder / f".{name}.{os.getpid()}"
        half.write_bytes(content)
        half.replace(folder / name)


def _lock() -> bytes:
    return files("booking_gateway.assets").joinpath("package-lock.json").read_bytes()


def _digest() -> str:
    return hashlib.sha256(_lock() + repr(sorted(SERVED.items())).encode()).hexdigest()


def _archive(package: str, version: str, integrity: str) -> bytes:
    registry = os.environ.get("npm_config_registry") or "https://registry.npmjs.org"  # noqa: SIM112 - npm's own name
    address = f"{registry.rstrip('/')}/{package}/-/{package.rpartition('/')[2]}-{version}.tgz"
    if not address.startswith(("https://", "http://")):
        raise NotFetchedError(f"npm_config_registry is no http:// or https:// address: {registry}")
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 - the scheme was looked at
            content = answer.read(_LARGEST)
    except OSError as broken:
        raise NotFetchedError(
            f"{package} can't be fetched from {registry} ({broken}): look at the network or the proxy, or set "
            "npm_config_registry to your mirror, then run ./booking setup."
        ) from None
    kind, _, wanted = integrity.partition("-")
    got = base64.b64encode(hashlib.new(kind, content).digest()).decode()
    if not hmac.compare_digest(got, wanted):
        raise NotFetchedError(f"{address} isn't the file that the lock file names: try again.")
    return content


def _file(archive: bytes, path: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        member = opened.extractfile(f"package/{path}")
        if member is None:
            raise NotFetchedError(f"the package has no file {path}")
        return member.read()


def main() -> int:
    """1 and a sentence when they can't be had."""
    (folder,) = (Path(word) for word in sys.argv[1:2] or ["assets"])
    try:
        if not are_here(folder):
            fetch(folder)
    except NotFetchedError as broken:
        print(broken, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
