from alembic import context

from booking_chassis.migrations import run_migrations

run_migrations(context)
