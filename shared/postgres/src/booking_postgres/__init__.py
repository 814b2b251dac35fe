"""Connections to PostgreSQL: one way to wait for an answer, a pool of them, and statements prepared by name."""

from booking_postgres.binary import Binary
from booking_postgres.connection import Connection
from booking_postgres.pool import Pool, PoolExhaustedError
from booking_postgres.prepared import Prepared

__all__ = ["Binary", "Connection", "Pool", "PoolExhaustedError", "Prepared"]
