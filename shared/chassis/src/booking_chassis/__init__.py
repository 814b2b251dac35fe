"""What every service process needs: settings, auth, problems, idempotency, the consumer, telemetry, health."""
