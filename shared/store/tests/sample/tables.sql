-- What a deciding service has beside `events`, `outbox` and `idempotency`: its read rows, its guards, its claims.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE entitlement (
    transaction_id uuid PRIMARY KEY,
    version        integer NOT NULL
);

CREATE TABLE sample_session (
    id             uuid PRIMARY KEY,
    transaction_id uuid NOT NULL,
    status         text NOT NULL,
    version        integer NOT NULL,
    starts_at      timestamptz,
    ends_at        timestamptz,
    updated_at     timestamptz NOT NULL
);
-- One session per Transaction: what was consumed stays consumed, so every status but canceled and failed counts.
CREATE UNIQUE INDEX sample_session_transaction ON sample_session (transaction_id) WHERE status NOT IN ('canceled', 'failed');

-- Two rows per session that holds a time: no person is in two places, in whatever role (K34: EXCLUDE accepts empty ranges).
CREATE TABLE time_claim (
    session_id uuid NOT NULL,
    person_id  uuid NOT NULL,
    during     tstzrange NOT NULL
        CHECK (NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    PRIMARY KEY (session_id, person_id),
    CONSTRAINT time_claim_no_overlap EXCLUDE USING gist (person_id WITH =, during WITH &&)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON entitlement, sample_session, time_claim TO {app};
