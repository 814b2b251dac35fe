"""What every process needs beneath its work: settings, database, migrations, logs, telemetry, health, workers."""
