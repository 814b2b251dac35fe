-- The record's bytes, made at the append (booking_contracts.wire) and gone with the mark; null for a state row, and for an event whose
-- mark has none: its record is made from the row in events.
ALTER TABLE outbox ADD COLUMN record bytea;
-- Read once, a moment later, and deleted: neither packed nor, up to 8 KB, moved to a table of its own.
ALTER TABLE outbox ALTER COLUMN record SET STORAGE EXTERNAL;
ALTER TABLE outbox SET (toast_tuple_target = 8160);
