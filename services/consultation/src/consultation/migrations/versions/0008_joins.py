"""What was sold, for showing it with a session; and assessments in the order in which they are listed."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE entitlement ADD COLUMN product_name text, ADD COLUMN duration_minutes integer")
    op.execute("CREATE INDEX assessment_of_member ON assessment (user_id, completed_at, id)")
    op.execute("CREATE INDEX assessment_completed ON assessment (completed_at, id)")


def downgrade() -> None:
    op.execute("DROP INDEX assessment_completed, assessment_of_member")
    op.execute("ALTER TABLE entitlement DROP COLUMN product_name, DROP COLUMN duration_minutes")
