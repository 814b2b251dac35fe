"""Assessments that were told by HTTP are published: a row and a mark for each that did not come by the topic."""

from alembic import op

revision = "0012"
down_revision = "0011"

_TOPIC = "'booking.assessments.v1'"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(
        "CREATE TABLE told_assessment (id uuid PRIMARY KEY, user_id uuid NOT NULL, completed_at timestamptz NOT NULL,"
        " version integer NOT NULL, told_at timestamptz NOT NULL, actor text, correlation_id text, causation_id text,"
        " traceparent text)"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON told_assessment TO {app}")
    op.execute(
        "INSERT INTO told_assessment (id, user_id, completed_at, version, told_at)"
        " SELECT id, user_id, completed_at, version, now() FROM assessment a WHERE NOT EXISTS"
        f" (SELECT FROM inbox WHERE topic = {_TOPIC} AND key = a.id::text)"
    )
    op.execute(f"INSERT INTO outbox (topic, key) SELECT {_TOPIC}, id::text FROM told_assessment")


def downgrade() -> None:
    op.execute(f"DELETE FROM outbox WHERE topic = {_TOPIC}")
    op.execute("DROP TABLE told_assessment")
