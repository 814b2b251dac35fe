-- Generations of the projection. One is active and shown by the views, at most one other is being built in the other slot;
-- a retired one keeps rows and positions, so going back is catching up.
CREATE TABLE generation (
    id           integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot         text        NOT NULL CHECK (slot IN ('a', 'b')),
    state        text        NOT NULL CHECK (state IN ('active', 'building', 'retired', 'discarded')),
    requested_by text        NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    from_records bigint      NOT NULL DEFAULT 0,   -- how many it had when it (re)started, for the rate
    switched_at  timestamptz,
    comparison   jsonb                             -- what the switch found: positions, rows, differences
);
CREATE UNIQUE INDEX generation_one_active ON generation (state) WHERE state IN ('active', 'building');
CREATE UNIQUE INDEX generation_one_per_slot ON generation (slot) WHERE state <> 'discarded';
INSERT INTO generation (slot, state, requested_by) VALUES ('a', 'active', 'system');

-- How far each generation has come: moved in the transaction that moves its rows, by compare-and-set (K8: a zombie after
-- a rebalance finds another position and rolls back whole).
CREATE TABLE projection_position (
    generation        integer NOT NULL REFERENCES generation,
    topic             text    NOT NULL,            -- the logical name
    partition         integer NOT NULL,
    next_offset       bigint  NOT NULL DEFAULT 0,
    last_timestamp_ms bigint,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (generation, topic, partition)
) WITH (fillfactor = 50);

-- Where the topics end, as last seen by a worker: lag is read from here, so that an api needs no broker.
CREATE TABLE projection_end (
    topic        text    NOT NULL,
    partition    integer NOT NULL,
    first_offset bigint  NOT NULL,
    end_offset   bigint  NOT NULL,
    measured_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- A slot holds every session with its last version (the inbox of the sessions topic), dated or not. No foreign keys and
-- no NOT NULL beyond the key: a row may begin with a type that this release does not know.
CREATE TABLE user_schedule_a (
    session_id       uuid PRIMARY KEY,
    version          bigint  NOT NULL,             -- of the session: the last event applied
    row_version      bigint  NOT NULL,             -- of the row: never restarts, also not by a rebuild that differs
    dated            boolean NOT NULL DEFAULT false, -- has ever had a date (C1)
    schedule_version integer NOT NULL DEFAULT 0,
    changed_at       timestamptz,                  -- when that last event happened
    transaction_id   uuid,
    practitioner_id  uuid,
    user_id          uuid,
    status           text,
    scheduled_date   date,
    time_start       time,
    time_end         time,
    timezone         text,
    starts_at        timestamptz,
    ends_at          timestamptz,
    meeting_link     text
) WITH (fillfactor = 85);
CREATE INDEX user_schedule_a_practitioner ON user_schedule_a (practitioner_id, starts_at, session_id) WHERE starts_at IS NOT NULL;
CREATE INDEX user_schedule_a_user ON user_schedule_a (user_id, starts_at, session_id) WHERE starts_at IS NOT NULL;
CREATE INDEX user_schedule_a_start ON user_schedule_a (starts_at, session_id) WHERE starts_at IS NOT NULL;
CREATE TABLE user_schedule_b (LIKE user_schedule_a INCLUDING ALL);
ALTER TABLE user_schedule_b SET (fillfactor = 85);

-- The slot that is shown. In each branch below it is a one-time filter: the other slot is never touched.
CREATE FUNCTION active_slot() RETURNS text LANGUAGE sql STABLE
    RETURN (SELECT slot FROM generation WHERE state = 'active');

CREATE VIEW session_calendar AS
    SELECT * FROM user_schedule_a WHERE (SELECT active_slot()) = 'a'
    UNION ALL
    SELECT * FROM user_schedule_b WHERE (SELECT active_slot()) = 'b';

-- C1: a row per session that has ever had a date, linked to feedback_session by session_id.
CREATE VIEW user_schedule AS
    SELECT session_id, transaction_id, practitioner_id, user_id, status, scheduled_date, time_start, time_end, timezone,
           starts_at, ends_at, schedule_version, meeting_link
    FROM session_calendar WHERE dated;

-- Secret feed addresses. Nothing secret is stored: the token is an HMAC of the id. A revoked feed's row is gone.
CREATE TABLE feed (
    id         uuid        PRIMARY KEY,
    person_id  uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX feed_person ON feed (person_id, created_at);

GRANT SELECT, INSERT, UPDATE ON generation, projection_end TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON projection_position TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON user_schedule_a, user_schedule_b TO {app};
GRANT SELECT ON session_calendar, user_schedule TO {app};
GRANT SELECT, INSERT, DELETE ON feed TO {app};
