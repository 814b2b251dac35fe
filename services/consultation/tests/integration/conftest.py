"""One database and one running service for all tests of this folder: every test brings its own people."""

from collections.abc import AsyncGenerator

import pytest
from services.consultation.tests.rig import Rig, rig_of, settings


@pytest.fixture(scope="session")
async def rig(fresh_database) -> AsyncGenerator[Rig]:
    """The api of the service, its consumer driven by hand."""
    async with rig_of(settings(fresh_database("consultation"))) as made:
        yield made
