"""Fixtures for every test folder, and how hypothesis runs: a deadline per example would test the machine."""

from hypothesis import settings

pytest_plugins = ["tests.plugins.servers", "tests.plugins.figures", "tests.plugins.spread"]
settings.register_profile("booking", deadline=None)
settings.load_profile("booking")
