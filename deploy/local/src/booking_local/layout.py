"""Where things live on this machine: one stack in its folder, downloads, the checkout.

Nothing outside the checkout, unless the checkout can't be written to.
"""

import os
from pathlib import Path


class Layout:
    """The state folder of one stack, by the names of its parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.endpoints = folder / "endpoints.json"
        """The addresses and processes, for people and tests (api.md). There only while the stack is up."""
        self.secrets = folder / "secrets.json"
        """Passwords and keys, made once, readable by the owner alone."""
        self.jwks = folder / "jwks.json"
        """The public half of the signing key."""
        self.people = folder / "people.json"
        """Whom the local identity provider offers to choose: `booking demo` and `booking seed` write it."""
        self.seeds = folder / "seeds.json"
        """How each seed was told here (`booking seed`), so that none is told in two ways."""
        self.ports = folder / "ports.json"
        """The ports used last: taken again where they are free."""
        self.migrated = folder / "migrated.json"
        """Which migrations each database has been through."""
        self.kafka_properties = folder / "settings" / "kafka.properties"
        """Lines `name=value` that the broker gets on top of the stack's own at its next start; yours to write."""
        self.logs = folder / "logs"
        self.run = folder / "run"
        """What only a running supervisor means: its lock, its progress, its processes."""
        self.lock = self.run / "supervisor.lock"
        """Held by the supervisor as long as it lives; its content is the supervisor's process id."""
        self.progress = self.run / "progress.json"
        """How far the start is, written by the supervisor, shown by `booking up`."""
        self.processes = self.run / "processes.json"
        """Every process started, with what tells it from a later one of the same id."""

    def settings_of(self, service: str) -> Path:
        """Lines `NAME=value` that a service gets on top of the stack's own at its next start; yours to write."""
        return self.folder / "settings" / f"{service}.env"

    def log_of(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def make(self) -> None:
        for folder in (self.folder, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True)


def replace(path: Path, text: str) -> None:
    """Replaces a file at once: whoever reads it gets the old text or the new one."""
    half = path.with_suffix(".new")
    half.write_text(text, "utf-8")
    half.replace(path)


def replace_private(path: Path, text: str) -> None:
    """Replaces a file at once; nobody but its owner may read it, at no moment."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    write_private(half, text)
    half.replace(path)


def write_private(path: Path, text: str) -> None:
    """Writes a file that nobody but its owner may read, at no moment, and has it on the disk."""
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def checkout() -> Path | None:
    """The checkout this program runs from, or None when it runs from an installed wheel."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "uv.lock").is_file() and (folder / "deploy" / "local").is_dir():
            return folder
    return None


def state_folder(given: Path | None = None) -> Path:
    """The folder of one local stack: the one given, else `$BOOKING_STATE`, else `.booking` in the checkout."""
    if given is None and os.environ.get("BOOKING_STATE"):
        given = Path(os.environ["BOOKING_STATE"])
    if given is None:
        given = (checkout() or Path.cwd()) / ".booking"
    return Path(os.path.abspath(given.expanduser()))  # noqa: PTH100  (resolve() would follow a symlinked state folder)


def tools_folder() -> Path:
    """Downloads and caches shared by all stacks of this checkout: `$BOOKING_TOOLS`, else `.tools` in the checkout.

    Falls back to the user's cache folder when the checkout belongs to somebody else.
    """
    if os.environ.get("BOOKING_TOOLS"):
        return Path(os.environ["BOOKING_TOOLS"]).expanduser().absolute()
    home = checkout()
    if home is not None:
        tools = home / ".tools"
        if os.access(tools if tools.exists() else home, os.W_OK):
            return tools
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "booking"
