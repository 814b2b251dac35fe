"""Alembic's entry: everything is booking_process's."""

from alembic import context

from booking_process.migrations import run_migrations

run_migrations(context)
