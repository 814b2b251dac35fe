"""`python -m booking_local` is the `booking` command."""

import sys

try:
    from booking_local.cli import main
except KeyboardInterrupt:  # Ctrl-C before there is anything to stop: importing takes a moment
    sys.exit(130)

sys.exit(main())
