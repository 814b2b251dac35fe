"""`python -m calendar_projector api|worker|all|migrate|openapi`, and `rebuild [--back | --abandon] [--wait]`."""

import sys

from booking_web import application
from calendar_projector.app import build
from calendar_projector.settings import Settings


def main() -> None:
    """The console script."""
    if sys.argv[1:2] == ["rebuild"]:
        from calendar_projector import rebuild  # noqa: PLC0415 - a serving process needs none of it

        sys.exit(rebuild.main(sys.argv[2:]))
    application.main(build, Settings)


if __name__ == "__main__":
    main()
