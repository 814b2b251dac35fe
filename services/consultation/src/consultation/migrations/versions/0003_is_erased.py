"""Whether a person is erased, asked by the append whenever it keeps somebody's words (E4)."""

from alembic import op

from booking_process.migrations import ddl

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(ddl("booking_people", "is_erased_v1").replace("{erased}", "erased_person"))


def downgrade() -> None:
    op.execute("DROP FUNCTION is_erased(uuid[])")
