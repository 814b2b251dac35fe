-- What a write without a stream answered, as JSON: its row forgets it. An erasure deletes a person's (forget_answers).
ALTER TABLE idempotency ADD COLUMN answer text;
