-- {app} is the run-time role.

-- Written once, with the database: whatever is older is history, recorded as skipped and never mailed (N3).
CREATE TABLE installation (
    only_one  boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    send_from timestamptz NOT NULL
);
INSERT INTO installation (send_from) VALUES (clock_timestamp());

-- The only table with contact data (E4). A tombstone or PersonErased deletes the row.
CREATE TABLE contact (
    person_id uuid PRIMARY KEY,
    name      text,
    email     text,
    phone     text,
    locale    text NOT NULL,
    timezone  text NOT NULL
);

-- The public profile: what practitioners are called.
CREATE TABLE practitioner (
    id       uuid PRIMARY KEY,
    name     text NOT NULL,
    timezone text NOT NULL
);

-- Who is erased stays known, so that a contact record that comes late is not written again.
CREATE TABLE erased (
    person_id uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL
);

CREATE TABLE preference (
    person_id  uuid        PRIMARY KEY,
    email      boolean     NOT NULL,
    whatsapp   boolean     NOT NULL,
    language   text        NOT NULL CHECK (language IN ('id', 'en')),
    version    integer     NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The session as it is now: what a timer looks at before it fires (N4).
CREATE TABLE session (
    id               uuid    PRIMARY KEY,
    status           text    NOT NULL,
    schedule_version integer NOT NULL,
    starts_at        timestamptz,
    ends_at          timestamptz
);

-- What was sold, for the texts.
CREATE TABLE sale (
    transaction_id uuid PRIMARY KEY,
    product_name   text NOT NULL
);

-- The events that messages are rendered from, as they were published: ids, times and links, never contact data or free text.
CREATE TABLE cause (
    event_id     uuid        PRIMARY KEY,
    type         text        NOT NULL,
    type_version integer     NOT NULL,
    data         json        NOT NULL, -- not jsonb: it rewrites numbers
    actor        text        NOT NULL,
    occurred_at  timestamptz NOT NULL
);

-- The ledger: what was decided, once, and what became of it. Ids only (E4); words and addresses are looked up to send.
CREATE TABLE notification (
    id             uuid        PRIMARY KEY,
    cause_event_id uuid        NOT NULL REFERENCES cause,
    recipient_id   text        NOT NULL, -- a person's id or 'admins'
    channel        text        NOT NULL CHECK (channel IN ('email', 'whatsapp')),
    template       text        NOT NULL,
    locale         text        NOT NULL,
    session_id     uuid,
    transaction_id uuid,
    due_at         timestamptz NOT NULL,
    -- Timers only (N4): the schedule's version and the status that the session must still have, and until when it helps.
    fence_version  integer,
    fence_status   text,
    useful_until   timestamptz,
    state          text        NOT NULL
        CHECK (state IN ('pending', 'sending', 'sent', 'delivered', 'failed', 'ambiguous', 'skipped')),
    reason         text,                          -- of failed, ambiguous and skipped
    attempts       integer     NOT NULL DEFAULT 0,
    ambiguities    integer     NOT NULL DEFAULT 0, -- attempts whose end nobody knows: one more try after the first (N3)
    queued_at      timestamptz NOT NULL,          -- when it was decided or resent: patience with a provider counts from here
    not_before     timestamptz,                   -- no attempt earlier; null: none any more
    sending_until  timestamptz,                   -- the attempt's deadline; past it, its worker is dead
    provider_message_id text,
    delivered_at   timestamptz,
    changed_at     timestamptz NOT NULL,
    version        integer     NOT NULL DEFAULT 1,
    correlation_id text        NOT NULL,
    traceparent    text,
    -- One event, one recipient, one channel, one template: one row, whatever is redelivered or replayed (N3).
    CONSTRAINT notification_once UNIQUE (cause_event_id, recipient_id, channel, template),
    CHECK ((fence_version IS NULL) = (fence_status IS NULL)),
    CHECK ((state = 'sending') = (sending_until IS NOT NULL))
);
CREATE INDEX notification_due ON notification (channel, not_before) WHERE state IN ('pending', 'ambiguous');
CREATE INDEX notification_sending ON notification (sending_until) WHERE state = 'sending';
-- One recipient's messages by one channel leave one after the other.
CREATE INDEX notification_lane ON notification (recipient_id, channel, due_at) WHERE state IN ('pending', 'sending');
CREATE INDEX notification_fence ON notification (session_id) WHERE state = 'pending' AND fence_version IS NOT NULL;
CREATE INDEX notification_of_recipient ON notification (recipient_id, id);
CREATE INDEX notification_of_session ON notification (session_id, id) WHERE session_id IS NOT NULL;
CREATE INDEX notification_by_state ON notification (state, id) WHERE state NOT IN ('sent', 'delivered');
CREATE INDEX notification_of_provider ON notification (provider_message_id) WHERE provider_message_id IS NOT NULL;

-- The pace of one recipient's channel: after a send or a refusal "not now" nothing leaves before this instant.
CREATE TABLE lane (
    recipient_id text        NOT NULL,
    channel      text        NOT NULL,
    not_before   timestamptz NOT NULL,
    paced_until  timestamptz NOT NULL, -- until when the messages so far are paid for by waiting
    PRIMARY KEY (recipient_id, channel)
);

GRANT SELECT ON installation TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON contact, practitioner, preference TO {app};
GRANT SELECT, INSERT ON erased, cause TO {app};
GRANT SELECT, INSERT, UPDATE ON session, sale, notification TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON lane TO {app};
