"""Alembic's entry; booking_process does the work."""

from alembic import context

from booking_process.migrations import run_migrations

run_migrations(context)
