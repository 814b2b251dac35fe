"""Tables of the shared packages as SQL text, for the services' own migrations."""

from importlib.resources import files


def ddl(package: str, name: str) -> str:
    """`sql/<name>.sql` of a package: `ddl("booking_inbox", "inbox_v1")`; `{app}` in it stands for the run-time role.

    A published text is never changed: an alteration is a new file, so that every migration stays what it was.
    """
    return (files(package) / "sql" / f"{name}.sql").read_text(encoding="utf-8")
