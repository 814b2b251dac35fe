-- One row per remembered 2xx. Status, object and version only: the answer is rendered anew (see idempotency_v2).
CREATE TABLE idempotency (
    sub text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    sha bytea NOT NULL,
    status smallint NOT NULL,
    object_id uuid,
    version int,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sub, operation, key)
);
CREATE INDEX idempotency_created_at ON idempotency (created_at);
GRANT SELECT, INSERT, DELETE ON idempotency TO {app};
