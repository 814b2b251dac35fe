-- Checkout's own tables; {app} is the run-time role. Streams, outbox, idempotency and inbox come from the shared packages.

-- The catalogue ------------------------------------------------------------------------------------------------------
CREATE TABLE product (
    id                    uuid PRIMARY KEY,
    name                  text NOT NULL,
    kind                  text NOT NULL CHECK (kind IN ('verification', 'counseling')),
    tier                  text NOT NULL,
    amount                bigint NOT NULL CHECK (amount > 0),
    currency              text NOT NULL,
    duration_minutes      integer NOT NULL,
    payment_ttl_minutes   integer NOT NULL,
    request_limit_minutes integer NOT NULL,
    auto_start            boolean NOT NULL,
    active                boolean NOT NULL,
    version               integer NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT statement_timestamp(),
    updated_at            timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- People: contact data are kept apart from everything else (E4). The row outlives an erasure, empty, because the version
-- of a state topic's key never restarts; a person without one has never called.
CREATE TABLE person (
    id             uuid PRIMARY KEY,
    name           text,
    email          text,
    phone          text,
    locale         text NOT NULL,
    timezone       text NOT NULL,
    claimed        boolean NOT NULL, -- whether the token's claims were taken over: at the person's first call, once
    version        integer NOT NULL,
    erased_at      timestamptz,
    actor          text NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text,
    traceparent    text,
    updated_at     timestamptz NOT NULL DEFAULT statement_timestamp(),
    CHECK (erased_at IS NULL OR (name IS NULL AND email IS NULL AND phone IS NULL))
);

CREATE TABLE practitioner (
    id             uuid PRIMARY KEY,
    name           text NOT NULL,
    photo_url      text,
    bio            text,
    profession     text,
    tiers          text[] NOT NULL,
    timezone       text NOT NULL,
    active         boolean NOT NULL,
    completeness   smallint GENERATED ALWAYS AS ( -- L2: photo, bio, profession
        (photo_url IS NOT NULL)::int + (bio IS NOT NULL)::int + (profession IS NOT NULL)::int) STORED,
    version        integer NOT NULL,
    erased_at      timestamptz,
    actor          text NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text,
    traceparent    text,
    updated_at     timestamptz NOT NULL DEFAULT statement_timestamp(),
    CHECK (erased_at IS NULL OR NOT active)
);

CREATE TABLE erasure (
    person_id  uuid PRIMARY KEY,
    erased_at  timestamptz NOT NULL,
    again_at   timestamptz, -- when the tombstones are sent once more; null: done (E4)
    CHECK (again_at IS NULL OR again_at >= erased_at)
);
CREATE INDEX erasure_again ON erasure (again_at) WHERE again_at IS NOT NULL;

-- Transactions -------------------------------------------------------------------------------------------------------
-- The read row: exactly the fold of the stream, nothing else.
CREATE TABLE transaction (
    id                    uuid PRIMARY KEY,
    user_id               uuid NOT NULL,
    practitioner_id       uuid NOT NULL,
    status                text NOT NULL,
    product_id            uuid NOT NULL,
    product_name          text NOT NULL,
    kind                  text NOT NULL,
    tier                  text NOT NULL,
    duration_minutes      integer NOT NULL,
    amount                bigint NOT NULL,
    currency              text NOT NULL,
    provider              text NOT NULL,
    reference             text NOT NULL,
    expires_at            timestamptz NOT NULL,
    request_limit_minutes integer NOT NULL,
    auto_start            boolean NOT NULL,
    paid_at               timestamptz,
    refund_id             uuid,
    refund_status         text,
    refund_amount         bigint,
    refund_requested_at   timestamptz,
    refund_settled_at     timestamptz,
    created_at            timestamptz NOT NULL,
    version               integer NOT NULL
);
-- Ids are UUIDv7: newest first is by id.
CREATE INDEX transaction_of_user ON transaction (user_id, id DESC);
CREATE INDEX transaction_of_status ON transaction (status, id DESC);
CREATE INDEX transaction_expiry ON transaction (expires_at, id) WHERE status = 'awaiting_payment';

-- How many Transactions of a member await payment. A counter row, because a count would let twins both see nineteen.
CREATE TABLE unpaid (
    user_id uuid PRIMARY KEY,
    open    integer NOT NULL CONSTRAINT unpaid_open CHECK (open >= 0)
);

-- Words of people: erasable, so never in an event (E4).
CREATE TABLE free_text (
    id             uuid PRIMARY KEY,
    transaction_id uuid,
    author_id      uuid, -- null: by a timer or a provider
    text           text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX free_text_of_transaction ON free_text (transaction_id);
CREATE INDEX free_text_of_author ON free_text (author_id);

-- Payments -----------------------------------------------------------------------------------------------------------
-- What lives outside events: the provider's page, and when to ask the provider next.
CREATE TABLE payment_session (
    transaction_id  uuid PRIMARY KEY,
    provider        text NOT NULL,
    redirect_url    text,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz, -- null: there is a page, or none is needed
    checks          integer NOT NULL DEFAULT 0,
    check_at        timestamptz NOT NULL -- not before then does the expiry look at it
);
CREATE INDEX payment_session_missing ON payment_session (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- Every verified notification, for ever; its body for 90 days (P4).
CREATE TABLE payment_notification (
    id                uuid PRIMARY KEY DEFAULT uuidv7(),
    provider          text NOT NULL,
    notification_id   text NOT NULL,
    payment_id        text NOT NULL,
    reference         text NOT NULL,
    names             uuid, -- the reference, where it could be a Transaction's
    transaction_id    uuid,
    status            text CHECK (status IN ('pending', 'failed', 'paid', 'refunded')), -- null: unreadable
    amount            bigint,
    currency          text,
    exact             boolean NOT NULL,
    returned          bigint,
    provider_refund_id text,
    body_sha256       bytea NOT NULL,
    body              bytea,
    received_at       timestamptz NOT NULL DEFAULT statement_timestamp(),
    decided_at        timestamptz,
    CONSTRAINT payment_notification_once UNIQUE (provider, notification_id, body_sha256)
);
CREATE INDEX payment_notification_undecided ON payment_notification (names) WHERE decided_at IS NULL;
CREATE INDEX payment_notification_body ON payment_notification (received_at) WHERE body IS NOT NULL;
CREATE INDEX payment_notification_of_transaction ON payment_notification (transaction_id);

-- One row per payment of a provider: its row lock puts that payment's notifications in a line, and its Transaction is the
-- only one it can pay (I10).
CREATE TABLE payment (
    provider       text NOT NULL,
    payment_id     text NOT NULL,
    transaction_id uuid,
    reference      text NOT NULL,
    status         text NOT NULL CHECK (status IN ('pending', 'failed', 'paid', 'refunded')),
    updated_at     timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (provider, payment_id)
);

CREATE TABLE payment_review (
    id                uuid PRIMARY KEY,
    transaction_id    uuid, -- null: names no Transaction that we know
    reference         text NOT NULL,
    provider          text NOT NULL,
    payment_id        text NOT NULL,
    received_amount   bigint, -- null: unreadable
    received_currency text,
    expected_amount   bigint,
    expected_currency text,
    cause             text NOT NULL,
    state             text NOT NULL CHECK (state IN ('open', 'settled')),
    outcome           text CHECK (outcome IN ('refund', 'dismiss', 'matched')),
    created_at        timestamptz NOT NULL,
    version           integer NOT NULL DEFAULT 1,
    CHECK ((state = 'open') = (outcome IS NULL))
);
CREATE INDEX payment_review_open ON payment_review (id DESC) WHERE state = 'open';
CREATE INDEX payment_review_unknown ON payment_review (reference) WHERE transaction_id IS NULL AND state = 'open';

-- The refund process (P5).
CREATE TABLE refund (
    id              uuid PRIMARY KEY,
    transaction_id  uuid, -- null: money of a review that names no Transaction
    review_id       uuid,
    provider        text NOT NULL,
    reference       text NOT NULL,
    payment_id      text NOT NULL,
    amount          bigint NOT NULL,
    currency        text NOT NULL,
    status          text NOT NULL CHECK (status IN ('requested', 'succeeded', 'failed')),
    requested_at    timestamptz NOT NULL,
    settled_at      timestamptz,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    code            text
);
CREATE INDEX refund_requested ON refund (next_attempt_at) WHERE status = 'requested';

-- Sessions as consumed, and the ranking they feed (P2, L2, L3) --------------------------------------------------------
-- One row per session, itself a fold of its events: what it adds to its practitioners' months is `counts`, so that a repeat
-- or a replay can be told from news, and a rebuild needs the log alone.
CREATE TABLE consulted_session (
    session_id      uuid PRIMARY KEY,
    transaction_id  uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    status          text NOT NULL,
    has_result      boolean NOT NULL,
    counts          jsonb NOT NULL, -- {"<practitioner>": {"<YYYY-MM-01>": [productivity, activity]}}
    version         integer NOT NULL
);
CREATE INDEX consulted_session_of_transaction ON consulted_session (transaction_id);
CREATE TABLE consulted_session_rebuilt (LIKE consulted_session INCLUDING ALL);

CREATE TABLE practitioner_month (
    practitioner_id uuid NOT NULL,
    month           date NOT NULL, -- its first day, in the platform's zone
    productivity    integer NOT NULL,
    activity        integer NOT NULL,
    PRIMARY KEY (practitioner_id, month)
);

-- The list as it is read: one row per month, tier and active practitioner, in the order of L2. Rows of a month are made
-- before it becomes "last month", so the page of any size is one index range.
CREATE TABLE ranking (
    month           date NOT NULL,
    tier            text NOT NULL,
    practitioner_id uuid NOT NULL,
    productivity    integer NOT NULL,
    activity        integer NOT NULL,
    completeness    smallint NOT NULL,
    -- The order of L2 as one rising number, so that "after this one" is one range of the index, not a filter on it.
    place           bigint GENERATED ALWAYS AS (
        -(productivity::bigint * 17179869184 + activity::bigint * 4 + completeness)) STORED,
    PRIMARY KEY (practitioner_id, month, tier),
    CHECK (productivity BETWEEN 0 AND 500000000 AND completeness BETWEEN 0 AND 3)
);
CREATE INDEX ranking_order ON ranking (month, tier, place, practitioner_id);

-- The months whose rows were made for everybody.
CREATE TABLE ranking_month (
    month       date PRIMARY KEY,
    prepared_at timestamptz NOT NULL DEFAULT statement_timestamp()
);

REVOKE ALL ON product, person, practitioner, erasure, transaction, unpaid, free_text, payment_session, payment_notification,
    payment, payment_review, refund, consulted_session, consulted_session_rebuilt, practitioner_month, ranking,
    ranking_month FROM {app};
GRANT SELECT, INSERT, UPDATE ON product, person, practitioner, erasure, transaction, unpaid, payment_session, payment_notification,
    payment, payment_review, refund TO {app};
GRANT SELECT, INSERT, DELETE ON free_text TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON consulted_session, consulted_session_rebuilt, practitioner_month, ranking,
    ranking_month TO {app};
