"""The sample service, as the web's tests have it."""

from shared.web.tests.conftest import offline, sample, sample_database

__all__ = ["offline", "sample", "sample_database"]
