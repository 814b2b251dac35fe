-- The brokers that a process of this service has reached, by KAFKA_BOOTSTRAP: an address that was right once is away when it
-- doesn't answer; one that never was may be wrong.
CREATE TABLE broker_reached (
    bootstrap  text        PRIMARY KEY,
    reached_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON broker_reached TO {app};
