"""Who is a practitioner: their taken times may be asked for by anybody, a member's by nobody (C3, E1)."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("CREATE TABLE practitioner (id uuid PRIMARY KEY)")
    op.execute("GRANT SELECT, INSERT, DELETE ON practitioner TO {app}")


def downgrade() -> None:
    op.execute("DROP TABLE practitioner")
