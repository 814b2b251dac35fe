"""One database and one running api for all tests of this folder: every test brings its own people."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace

import pytest
from services.checkout.tests.midtrans_server import MidtransServer, midtrans_server
from services.checkout.tests.rig import Rig, Shop, rig_of, settings
from shared.process.tests.proxy import Proxy, proxied


@pytest.fixture(scope="session")
def midtrans() -> Iterator[MidtransServer]:
    """The provider on loopback."""
    with midtrans_server() as server:
        yield server


@pytest.fixture
def provider(midtrans: MidtransServer) -> Iterator[MidtransServer]:
    """The provider, well again after the test."""
    yield midtrans
    midtrans.mode = "ok"


@pytest.fixture(scope="session")
async def rig(fresh_database, midtrans: MidtransServer) -> AsyncGenerator[Rig]:
    """The api of the service; its consumer and timers are driven by hand."""
    async with rig_of(settings(fresh_database("checkout"), midtrans.address), midtrans) as made:
        yield made


@pytest.fixture
async def behind_proxy(fresh_database, midtrans: MidtransServer) -> AsyncGenerator[tuple[Proxy, Shop]]:
    """A service of its own whose way to the database can be cut, and a shop in it."""
    databases = fresh_database("checkout")
    async with (
        proxied(databases.app_url) as (proxy, url),
        rig_of(settings(replace(databases, app_url=url), midtrans.address), midtrans) as made,
    ):
        yield proxy, await made.shop()


@pytest.fixture
async def shop(rig: Rig) -> Shop:
    """An admin, a product, its practitioner and a member."""
    return await rig.shop()
