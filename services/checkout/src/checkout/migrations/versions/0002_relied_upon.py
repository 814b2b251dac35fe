"""What a command relies upon beside its stream: whether a session has begun (P2), and who is erased (E4)."""

from alembic import op

from booking_process.migrations import ddl

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE transaction ADD COLUMN session_begun boolean NOT NULL DEFAULT false")
    op.execute(
        "UPDATE transaction SET session_begun = true WHERE id IN (SELECT transaction_id FROM consulted_session"
        " WHERE status IN ('on_progress', 'completed'))"
    )
    op.execute(ddl("booking_people", "is_erased_v1").replace("{erased}", "erasure"))


def downgrade() -> None:
    op.execute("DROP FUNCTION is_erased(uuid[])")
    op.execute("ALTER TABLE transaction DROP COLUMN session_begun")
