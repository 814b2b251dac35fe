"""Fixtures for every test folder."""

pytest_plugins = ["tests.plugins.servers", "tests.plugins.figures"]
