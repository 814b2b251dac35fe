-- What the topic holds; a table of this connection's alone.
CREATE TEMP TABLE audit_record (id uuid NOT NULL, subject text NOT NULL, sequence bigint NOT NULL, partition int NOT NULL, at bigint NOT NULL)
