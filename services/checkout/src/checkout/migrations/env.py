"""Alembic's entry; the chassis does the work."""

from alembic import context

from booking_process.migrations import run_migrations

run_migrations(context)
