"""`python -m consultation api|worker|all|migrate|openapi`."""

from booking_web import application
from consultation.app import build
from consultation.settings import Settings


def main() -> None:
    """The console script."""
    application.main(build, Settings)


if __name__ == "__main__":
    main()
