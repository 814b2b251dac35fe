"""Alembic's entry: everything is the chassis'."""

from alembic import context

from booking_process.migrations import run_migrations

run_migrations(context)
