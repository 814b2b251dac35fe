"""The directory's few who take no clients, in the order of names: a search for them reads no others."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(
        "CREATE INDEX practitioner_inactive ON practitioner (lower(name), id) WHERE NOT active AND erased_at IS NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX practitioner_inactive")
