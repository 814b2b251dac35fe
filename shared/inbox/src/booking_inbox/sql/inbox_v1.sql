-- inbox: the last version of each key that a consumer has taken. Dedupe, order check and the answer to a consistency token.
-- Its rows are never deleted: a record years old must still be known as a duplicate (F41).
CREATE TABLE inbox (
    consumer   text        NOT NULL,
    topic      text        NOT NULL,
    key        text        NOT NULL,
    version    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, key)
) WITH (fillfactor = 80);

-- held: records that could not be taken in their turn. Their offsets moved on, so other keys flow; here they wait for
-- their predecessor (gap), for a fix and a replay (undecodable, failed), or for an operator's discard.
CREATE TABLE held (
    id         uuid        PRIMARY KEY DEFAULT uuidv7(),
    consumer   text        NOT NULL,
    topic      text        NOT NULL,
    partition  integer     NOT NULL,
    "offset"   bigint      NOT NULL,
    key        text,                       -- null: the record's key is missing or no text
    raw_key    bytea,
    version    bigint,                     -- null: unknown, or the topic has none
    headers    jsonb       NOT NULL,       -- [[name, base64 or null], ...], in order, repeats included
    value      bytea,                      -- null: a tombstone
    timestamp_ms bigint    NOT NULL,
    digest     bytea       NOT NULL,       -- SHA-256 of key, headers and value: the record, wherever it lies (F51)
    reason     text        NOT NULL CHECK (reason IN ('gap', 'undecodable', 'failed')),
    attempts   integer     NOT NULL DEFAULT 0,
    error      text,
    held_at    timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    settled_by text,
    outcome    text        CHECK (outcome IN ('applied', 'superseded', 'discarded')),
    CHECK ((settled_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX held_once ON held (consumer, topic, digest) WHERE settled_at IS NULL;
CREATE INDEX held_by_digest ON held (consumer, topic, digest);
CREATE INDEX held_open ON held (consumer, topic, key) WHERE settled_at IS NULL;
CREATE INDEX held_gaps ON held (consumer, topic, partition, key) WHERE settled_at IS NULL AND reason = 'gap';

GRANT SELECT, INSERT, UPDATE ON inbox TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON held TO {app};
