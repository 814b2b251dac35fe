"""The tables as SQL text, for the services' own migrations."""

from importlib.resources import files


def ddl(name: str) -> str:
    """The text of ``sql/<name>.sql`` (``events_v1``); ``{app}`` in it stands for the run-time role.

    A published text is never changed: an alteration is a new file, so that every migration stays what it was.
    """
    return (files("booking_store") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
