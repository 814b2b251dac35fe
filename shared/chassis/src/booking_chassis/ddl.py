"""The chassis' tables as SQL text, for the services' own migrations."""

from importlib.resources import files


def ddl(name: str) -> str:
    """The text of a table such as ``idempotency_v1`` or ``inbox_v1``; ``{app}`` in it stands for the run-time role.

    A published text is never changed: an alteration is a new file, so that every migration stays what it was.
    """
    package = files("booking_chassis")
    found = next(
        (f for f in (package / "sql" / f"{name}.sql", package / "consumer" / f"{name}.sql") if f.is_file()), None
    )
    if found is None:
        raise LookupError(f"no DDL named {name!r}")
    return found.read_text(encoding="utf-8")
