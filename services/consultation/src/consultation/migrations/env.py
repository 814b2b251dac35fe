"""Alembic's entry: booking_process knows how; `python -m consultation migrate` calls it."""

from alembic import context

from booking_process.migrations import run_migrations

run_migrations(context)
