"""Where the files of one stack lie. Everything is below its state folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The state folder of one stack, by the names of its parts."""

    folder: Path

    @property
    def endpoints(self) -> Path:
        """The addresses and processes, for people and tests (api.md). There only while the stack is up."""
        return self.folder / "endpoints.json"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, made once, readable by the owner alone."""
        return self.folder / "secrets.json"

    @property
    def jwks(self) -> Path:
        """The public half of the signing key."""
        return self.folder / "jwks.json"

    @property
    def ports(self) -> Path:
        """The ports used last: taken again where they are free."""
        return self.folder / "ports.json"

    @property
    def migrated(self) -> Path:
        """Which migrations each database has been through."""
        return self.folder / "migrated.json"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        """What only a running supervisor means: its lock, its progress, its processes."""
        return self.folder / "run"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives; its content is the supervisor's process id."""
        return self.run / "supervisor.lock"

    @property
    def progress(self) -> Path:
        """How far the start is, written by the supervisor, shown by `booking up`."""
        return self.run / "progress.json"

    @property
    def processes(self) -> Path:
        """Every process started, with what tells it from a later one of the same id."""
        return self.run / "processes.json"

    def settings_of(self, service: str) -> Path:
        """Lines `NAME=value` that a service gets on top of the stack's own at its next start; yours to write."""
        return self.folder / "settings" / f"{service}.env"

    @property
    def kafka_properties(self) -> Path:
        """Lines `name=value` that the broker gets on top of the stack's own at its next start; yours to write."""
        return self.folder / "settings" / "kafka.properties"

    def log_of(self, process: str) -> Path:
        """One process' log."""
        return self.logs / f"{process}.log"

    def make(self) -> None:
        """Creates the folders."""
        for folder in (self.folder, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True)
