"""Fixtures for every test folder; how hypothesis runs: a deadline per example would test the machine; and where log
lines go: to pytest's own handlers, not to the output that a test captures, into which a service that another test
left running in a thread would write too."""

import structlog
from hypothesis import settings

pytest_plugins = ["tests.plugins.servers", "tests.plugins.figures", "tests.plugins.spread"]
settings.register_profile("booking", deadline=None)
settings.load_profile("booking")
structlog.configure(
    processors=[structlog.stdlib.add_log_level, structlog.processors.KeyValueRenderer()],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)
