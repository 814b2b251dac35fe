"""Alembic's entry: how it runs is the process', what the database should have stands in the tables."""

from alembic import context

import booking_inbox.tables
import booking_outbox.tables
import booking_store.tables
import booking_web.tables
import checkout.tables
from booking_process.migrations import run_migrations

run_migrations(
    context,
    booking_inbox.tables.metadata,
    booking_outbox.tables.metadata,
    booking_store.tables.metadata,
    booking_web.tables.metadata,
    checkout.tables.metadata,
)
