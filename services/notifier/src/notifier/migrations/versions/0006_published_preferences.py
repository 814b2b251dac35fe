"""What people chose is published: an erased person's row stays, empty, with its version, for the tombstone (E4).

What is there already is marked, so that the topic begins whole.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TOPIC = "'booking.notifier.preferences.v1'"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""ALTER TABLE preference
        ALTER email DROP NOT NULL, ALTER whatsapp DROP NOT NULL, ALTER language DROP NOT NULL,
        ADD CONSTRAINT preference_whole CHECK (num_nulls(email, whatsapp, language) IN (0, 3))""")
    op.execute(f"INSERT INTO outbox (topic, key) SELECT {_TOPIC}, person_id::text FROM preference")


def downgrade() -> None:
    op.execute(f"DELETE FROM outbox WHERE topic = {_TOPIC}")
    op.execute("DELETE FROM preference WHERE language IS NULL")
    op.execute("""ALTER TABLE preference DROP CONSTRAINT preference_whole,
        ALTER email SET NOT NULL, ALTER whatsapp SET NOT NULL, ALTER language SET NOT NULL""")
