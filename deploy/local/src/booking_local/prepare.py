"""What `./booking` does once after installing: Kafka's jars, and Java's ahead-of-time cache for a fast start."""

import sys

from booking_local.failure import Failure
from booking_local.servers import aot, jars


def main() -> int:
    """1 and a sentence when the jars can't be had; a failed training run only costs speed."""
    try:
        if not jars.are_here():
            print("Fetching Kafka 4.4.0", file=sys.stderr)
            jars.fetch()
        if not aot.is_here():
            print("Training Java for a fast start of Kafka", file=sys.stderr)
            aot.train()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
