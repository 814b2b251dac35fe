-- What consultation has beside the shared tables (events, outbox, idempotency, inbox, held).
-- {app} is the run-time role: it gets what the code does and nothing more.

-- Trusted since PostgreSQL 13: the database's owner may create it.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- The inline read table: the fold of each session's stream, written in the append's own statement.
-- The document's columns first, then ours. reason, result_link and result_notes are copies of erasable text (E4).
CREATE TABLE feedback_session (
    id               uuid PRIMARY KEY,
    practitioner_id  uuid NOT NULL,
    user_id          uuid NOT NULL,
    status           text NOT NULL
        CHECK (status IN ('pending_negotiation', 'scheduled', 'on_progress', 'completed', 'canceled', 'failed')),
    scheduled_date   date,
    time_start       time,
    time_end         time,
    meeting_link     text,
    result_link      text,
    transaction_id   uuid NOT NULL,
    assessment_id    uuid,
    kind             text NOT NULL,
    auto_start       boolean NOT NULL,
    requested_at     timestamptz NOT NULL,
    respond_by       timestamptz NOT NULL,
    timezone         text,
    ends_next_day    boolean,
    fold             smallint,
    starts_at        timestamptz,
    ends_at          timestamptz,
    schedule_version integer NOT NULL,
    started_at       timestamptz,
    result_id        uuid,
    result_has_link  boolean NOT NULL DEFAULT false,
    result_has_notes boolean NOT NULL DEFAULT false,
    result_notes     text,
    reason_code      text,
    reason_id        uuid,
    reason           text,
    version          integer NOT NULL,
    updated_at       timestamptz NOT NULL
);

-- R2: what was consumed stays consumed; active statuses alone would allow a second session on a completed one.
CREATE UNIQUE INDEX feedback_session_one_per_transaction ON feedback_session (transaction_id)
    WHERE status NOT IN ('canceled', 'failed');
-- R2: a completed session leaves its assessment free for another purchase.
CREATE UNIQUE INDEX feedback_session_one_per_assessment ON feedback_session (assessment_id)
    WHERE status IN ('pending_negotiation', 'scheduled', 'on_progress');

-- Lists: newest first by id (UUIDv7), by start, and the waiting list; of one person, or of all for an admin.
CREATE INDEX feedback_session_of_practitioner ON feedback_session (practitioner_id, id);
CREATE INDEX feedback_session_of_member ON feedback_session (user_id, id);
CREATE INDEX feedback_session_of_status ON feedback_session (status, id);
CREATE INDEX feedback_session_of_transaction ON feedback_session (transaction_id);
CREATE INDEX feedback_session_start ON feedback_session (starts_at, id) WHERE starts_at IS NOT NULL;
CREATE INDEX feedback_session_start_of_practitioner ON feedback_session (practitioner_id, starts_at, id)
    WHERE starts_at IS NOT NULL;
CREATE INDEX feedback_session_start_of_member ON feedback_session (user_id, starts_at, id) WHERE starts_at IS NOT NULL;
CREATE INDEX feedback_session_waiting_of_practitioner ON feedback_session (practitioner_id, respond_by, id)
    WHERE status = 'pending_negotiation';
CREATE INDEX feedback_session_waiting_of_member ON feedback_session (user_id, respond_by, id)
    WHERE status = 'pending_negotiation';

-- The timers: a partial index is all they need.
CREATE INDEX feedback_session_respond_by ON feedback_session (respond_by, id) WHERE status = 'pending_negotiation';
CREATE INDEX feedback_session_auto_start ON feedback_session (starts_at) WHERE auto_start AND status = 'scheduled';

-- S4: two rows per session that holds a time; nobody is in two places, in whatever role.
-- The checks: EXCLUDE accepts empty ranges, and an endless one would block a person for ever (reliability.md K34).
CREATE TABLE time_claim (
    session_id uuid NOT NULL,
    person_id  uuid NOT NULL,
    during     tstzrange NOT NULL CHECK (
        NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)
        AND NOT lower_inf(during) AND NOT upper_inf(during)
    ),
    PRIMARY KEY (session_id, person_id),
    CONSTRAINT time_claim_no_overlap EXCLUDE USING gist (person_id WITH =, during WITH &&)
);

-- E4: free text and result links, apart from the events that carry their ids. A missing row was erased.
CREATE TABLE session_text (
    id          uuid PRIMARY KEY,
    session_id  uuid NOT NULL,
    author_id   uuid NOT NULL,
    text        text,
    link        text,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX session_text_of_session ON session_text (session_id);
CREATE INDEX session_text_of_author ON session_text (author_id);

-- What the transactions topic told so far: who may request what (R1, P5). `version` is the guard of a request.
CREATE TABLE entitlement (
    transaction_id        uuid PRIMARY KEY,
    user_id               uuid NOT NULL,
    practitioner_id       uuid,
    status                text NOT NULL
        CHECK (status IN ('awaiting_payment', 'paid', 'expired', 'canceled', 'refund_requested', 'refunded')),
    kind                  text,
    request_limit_minutes integer NOT NULL,
    auto_start            boolean NOT NULL,
    version               integer NOT NULL
);

CREATE TABLE assessment (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL,
    completed_at timestamptz NOT NULL,
    version      integer NOT NULL
);

CREATE TABLE practitioner (
    id       uuid PRIMARY KEY,
    name     text NOT NULL,
    timezone text NOT NULL
);

-- Contact data: the one table of this service that holds any (E4).
CREATE TABLE contact (
    person_id uuid PRIMARY KEY,
    name      text,
    phone     text,
    locale    text
);

-- Whoever is in here gets no name, contact or free text written again by a late record or command.
CREATE TABLE erased_person (
    person_id uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON feedback_session, entitlement, assessment TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON time_claim, practitioner, contact TO {app};
GRANT SELECT, INSERT, DELETE ON session_text TO {app};
GRANT SELECT, INSERT ON erased_person TO {app};
