ALTER TABLE events RENAME COLUMN metadata TO actor;
ALTER TABLE events ADD COLUMN correlation_id text, ADD COLUMN causation_id text;
ALTER TABLE events
    ALTER COLUMN correlation_id TYPE text USING actor ->> 'correlation_id',
    ALTER COLUMN causation_id TYPE text USING actor ->> 'causation_id',
    ALTER COLUMN actor TYPE text USING actor ->> 'actor',
    ALTER COLUMN correlation_id SET NOT NULL;
