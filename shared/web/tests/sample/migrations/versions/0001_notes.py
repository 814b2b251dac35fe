"""Notes."""

from alembic import op

from booking_process.migrations import ddl

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(ddl("booking_web", "idempotency_v1"))
    op.execute(ddl("booking_web", "idempotency_v2"))
    op.execute(ddl("booking_inbox", "inbox_v1"))
    op.execute(ddl("booking_process", "broker_v1"))
    op.execute(
        "CREATE TABLE note (id uuid PRIMARY KEY, owner uuid NOT NULL, text text NOT NULL,"
        " weight int NOT NULL DEFAULT 0, version int NOT NULL DEFAULT 1);"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON note TO {app}"
    )


def downgrade() -> None:
    op.execute("DROP TABLE note, idempotency, inbox, held, broker_reached")
