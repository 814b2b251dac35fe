"""The published language: events, topics, envelope, money."""
