"""`python -m booking_local` is the `booking` command."""

import sys

from booking_local.cli import main

sys.exit(main())
