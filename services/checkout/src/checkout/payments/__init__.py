"""Payment providers: the port, its adapters, and what their notifications do."""
