"""Each service once per run, seeded."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.api.seeds import seed
from tests.api.service_under_test import MODULES, ServiceUnderTest, serving


@pytest.fixture(scope="session")
def service_of(fresh_database) -> Iterator[Callable[[str], ServiceUnderTest]]:
    """`service_of("checkout")`: started when first asked for, stopped after the run."""
    with ExitStack() as stack:
        running: dict[str, ServiceUnderTest] = {}

        def of(name: str) -> ServiceUnderTest:
            if name not in running:
                running[name] = stack.enter_context(serving(name, fresh_database(name).app_url))
                seed(running[name])
            return running[name]

        yield of


@pytest.fixture(params=list(MODULES))
def service(request: pytest.FixtureRequest, service_of) -> ServiceUnderTest:
    """Each service in turn."""
    return service_of(request.param)
