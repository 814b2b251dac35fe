"""Looking for practitioners: in the order of their names, by a word of it, by a tier."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("CREATE INDEX practitioner_by_name ON practitioner (lower(name), id) WHERE erased_at IS NULL")
    op.execute(
        "CREATE INDEX practitioner_words ON practitioner USING gin (to_tsvector('simple', name))"
        " WHERE erased_at IS NULL"
    )
    op.execute("CREATE INDEX practitioner_tiers ON practitioner USING gin (tiers) WHERE erased_at IS NULL")


def downgrade() -> None:
    op.execute("DROP INDEX practitioner_by_name, practitioner_words, practitioner_tiers")
