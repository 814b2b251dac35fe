"""`python -m notifier api|worker|all|migrate|openapi`."""

from booking_web import application
from notifier.app import build
from notifier.settings import Settings


def main() -> None:
    """Run one command."""
    application.main(build, Settings)


if __name__ == "__main__":
    main()
