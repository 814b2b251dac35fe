-- The streams: write model and audit trail. Rows are added, never changed.
-- {app} is the run-time role: it may read and add, nothing else.
CREATE TABLE events (
    -- Identity with the default cache of 1: within one stream positions rise with the versions (republish reads by position).
    position       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_type    text NOT NULL,
    stream_id      uuid NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    id             uuid NOT NULL,
    type           text NOT NULL,
    type_version   smallint NOT NULL,
    -- json, not jsonb: jsonb rewrites numbers and key order, and what was stored is what goes to Kafka.
    data           json NOT NULL CONSTRAINT events_data_size CHECK (octet_length(data::text) <= 524288),
    actor          text NOT NULL,
    causation_id   text,
    correlation_id text NOT NULL,
    traceparent    text,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    CONSTRAINT events_stream_version UNIQUE (stream_id, version),
    CONSTRAINT events_id UNIQUE (id)
);

-- For a time range (republish, audit): the table is filled in time's order, so a block range index costs the append nothing.
CREATE INDEX events_recorded_at ON events USING brin (recorded_at) WITH (autosummarize = on);

-- The grants below are the rule; the trigger is the belt for whoever connects with more rights.
CREATE FUNCTION events_are_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed or removed (% on %)', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_are_never_changed();

REVOKE ALL ON events FROM {app};
GRANT SELECT, INSERT ON events TO {app};
