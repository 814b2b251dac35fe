"""`python -m checkout`: the service's processes, and the two jobs of an operator."""

import sys

from booking_web.application import main as run
from checkout import jobs
from checkout.app import build
from checkout.settings import Settings


def main() -> None:
    """Run one command; all but an operator's jobs are booking_web's."""
    if sys.argv[1:2] and sys.argv[1] in ("rebuild-ranking", "erase", "replay-erasures"):
        sys.exit(jobs.run(sys.argv[1], sys.argv[2:]))
    run(build, Settings)


if __name__ == "__main__":
    main()
