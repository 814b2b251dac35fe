"""The manners of HTTP, one rule each for all services: callers, problems, conditions, keys, pages, OpenAPI."""
