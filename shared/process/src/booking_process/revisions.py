"""Which revision a service's code wants of its database, read from its migration files without importing Alembic."""

import importlib.util
import re
from pathlib import Path

import psycopg

_REVISION = re.compile(r"^revision(?::\s*str)?\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_DOWN = re.compile(r"^down_revision[^=\n]*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)


def migrations_folder(location: str) -> Path:
    """The folder of `"checkout:migrations"`, without importing the package's modules."""
    module, _, folder = location.partition(":")
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"no package {module!r}")
    return Path(spec.submodule_search_locations[0]) / folder


class Revisions:
    """The revisions that this code knows, and the one it wants."""

    def __init__(self, location: str) -> None:
        texts = [path.read_text(encoding="utf-8") for path in (migrations_folder(location) / "versions").glob("*.py")]
        self.known = {found[1] for text in texts if (found := _REVISION.search(text))}
        heads = self.known - {found[1] for text in texts if (found := _DOWN.search(text))}
        if len(heads) != 1:
            raise LookupError(f"{location} must have one head revision, not {sorted(heads)}")
        (self.head,) = heads

    async def right(self, connection: psycopg.AsyncConnection) -> bool:
        """Whether the database is at our head or beyond: a newer release migrates before it replaces us."""
        try:
            found = await connection.execute("SELECT version_num FROM alembic_version")
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            return False
        row = await found.fetchone()
        return row is not None and (row[0] == self.head or row[0] not in self.known)
