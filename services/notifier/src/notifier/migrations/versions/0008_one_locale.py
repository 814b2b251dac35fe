"""A person has one locale, the directory's: preferences are channels alone (N2), and are published anew so."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TOPIC = "'booking.notifier.preferences.v1'"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""ALTER TABLE preference
        DROP CONSTRAINT preference_whole, DROP COLUMN language,
        ADD CONSTRAINT preference_whole CHECK (num_nulls(email, whatsapp) IN (0, 2))""")
    op.execute("UPDATE preference SET version = version + 1")
    op.execute(f"INSERT INTO outbox (topic, key) SELECT {_TOPIC}, person_id::text FROM preference")


def downgrade() -> None:
    op.execute("ALTER TABLE preference DROP CONSTRAINT preference_whole, ADD COLUMN language text")
    op.execute("UPDATE preference SET language = 'id' WHERE email IS NOT NULL")
    op.execute("""ALTER TABLE preference
        ADD CONSTRAINT preference_language_check CHECK (language IN ('id', 'en')),
        ADD CONSTRAINT preference_whole CHECK (num_nulls(email, whatsapp, language) IN (0, 3))""")
