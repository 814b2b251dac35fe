"""The stream of changes: what was told in the last day, and tickets that open it."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    # One row: whoever appends holds it until the commit, so places appear in their order.
    op.execute("""CREATE TABLE stream_head (
        one   boolean PRIMARY KEY DEFAULT true CHECK (one),
        place bigint  NOT NULL
    ) WITH (fillfactor = 10)""")
    op.execute("INSERT INTO stream_head (place) VALUES (extract(epoch FROM clock_timestamp()) * 1000000)")
    op.execute("""CREATE TABLE stream_item (
        place           bigint  PRIMARY KEY,          -- microseconds since 1970, by the database's clock
        event_id        uuid    NOT NULL,
        member_id       uuid,
        practitioner_id uuid,
        admins          boolean NOT NULL,
        item            text    NOT NULL,
        UNIQUE (event_id, admins)                     -- one event may tell some people one thing and others another
    )""")
    op.execute("CREATE INDEX stream_item_member ON stream_item (member_id, place)")
    op.execute("CREATE INDEX stream_item_practitioner ON stream_item (practitioner_id, place)")
    op.execute("""CREATE TABLE stream_ticket (
        id            uuid        PRIMARY KEY,
        person_id     uuid        NOT NULL,
        roles         text[]      NOT NULL,
        rights_end_at timestamptz NOT NULL,           -- when the token ends that it was made with
        expires_at    timestamptz NOT NULL,
        used_at       timestamptz
    )""")
    op.execute("GRANT SELECT, UPDATE ON stream_head TO {app}")
    op.execute("GRANT SELECT, INSERT, DELETE ON stream_item TO {app}")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON stream_ticket TO {app}")


def downgrade() -> None:
    op.execute("DROP TABLE stream_ticket, stream_item, stream_head")
