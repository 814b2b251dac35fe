"""Where things live on this machine. Nothing outside the checkout, unless the checkout can't be written to."""

import os
from pathlib import Path


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
