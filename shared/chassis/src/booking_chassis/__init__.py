"""What every service process needs: settings, auth, problems, idempotency, the consumer, telemetry, health.

Import from the modules: `from booking_chassis.problems import not_found`. This package itself stays light.
"""

from booking_chassis.ddl import ddl

__all__ = ["ddl"]
