-- The marks: what is committed and not yet acknowledged by Kafka. {app} is the run-time role.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    topic      text NOT NULL, -- the logical name
    key        text NOT NULL,
    position   bigint,        -- events.position; null: a state row, sent as it is when the relay comes to it
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    -- The relay reads and deletes by (topic, id): one index serves both, and every append pays for one only.
    PRIMARY KEY (topic, id)
);
-- Rows live for milliseconds: vacuum by count, not by a share of a table that is nearly always empty.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
                        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);

-- What an operator accepted after a restore (`booking republish --accept-topic`): records up to this offset may be unknown to the store.
CREATE TABLE outbox_accepted (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    up_to       bigint NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);

REVOKE ALL ON outbox, outbox_accepted FROM {app};
GRANT SELECT, INSERT, DELETE ON outbox TO {app};
GRANT SELECT, INSERT, UPDATE ON outbox_accepted TO {app};
