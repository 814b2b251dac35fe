ALTER TABLE idempotency DROP COLUMN answer
