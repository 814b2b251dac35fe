"""What the broker lets each principal do is what the catalogue says: every cell, let through and refused."""

import contextlib
import secrets

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError
from tests.access.broker import (
    FOREIGN_TOPIC,
    PRINCIPALS,
    QUESTIONS,
    Cell,
    all_tried,
    cells,
    expected,
    tried,
)
from tests.rigs.waiting import until

from booking_contracts.acls import Acl, acls, change_acls, set_password, wanted_acls
from booking_contracts.admin import admin_client, create_topics
from booking_contracts.topics import CONTACTS, TOPICS, TRANSACTIONS

# A connection that is closed says farewell by TLS, which the run's end doesn't wait for.
pytestmark = [pytest.mark.servers, pytest.mark.filterwarnings("ignore::ResourceWarning")]
NEVER_FEWER, SURELY_LET_THROUGH = 1_233, 279
"""What the matrix had when it was made: with each topic and principal there are more."""


@pytest.fixture(scope="module")
async def addresses(secured_kafka):
    """Each principal's address, by a password. The broker has what the catalogue says, and a topic more."""
    admin = secured_kafka.admin
    await create_topics(admin)
    async with admin_client(admin) as client:
        await client.create_topics([NewTopic(FOREIGN_TOPIC, 6, 1)])
        await until(lambda: _coordinated(client), "a coordinator of groups")
    await change_acls(admin, add=wanted_acls(), remove=await acls(admin) - wanted_acls())
    passwords = {name: secrets.token_hex(24) for name in PRINCIPALS}
    for name, password in passwords.items():
        await set_password(admin, name, password)
    return {name: secured_kafka.as_user(name, password) for name, password in passwords.items()}


async def _coordinated(client):
    """The broker makes the groups' own topic when the first asks for it."""
    with contextlib.suppress(KafkaError):
        await client.find_coordinator("any")
        return True


def differing(found):
    return {cell: said for cell, said in found.items() if said != expected(cell)}


async def test_every_cell__is_as_the_catalogue_says(addresses):
    found = await all_tried(addresses)
    assert differing(found) == {}
    assert set(found) == set(cells()), "each question was asked"
    assert len(found) == len(PRINCIPALS) * QUESTIONS >= NEVER_FEWER
    assert sum(found.values()) >= SURELY_LET_THROUGH
    assert {cell.name for cell in found if cell.resource == "topic"} == {*(one.name for one in TOPICS), FOREIGN_TOPIC}
    print(f"{len(found)} cells at the broker, {sum(found.values())} let through")


async def test_who_comes_by_certificate__is_the_same_principal(addresses, secured_kafka):
    for name in ("analytics", "nobody"):
        assert differing(await tried(secured_kafka.as_certified(name), cells([name]))) == {}


@pytest.mark.parametrize(
    ("too_many", "cell"),
    [
        (
            Acl("User:analytics", "topic", CONTACTS.name, "literal", "Read"),
            Cell("analytics", "topic", CONTACTS.name, "Read"),
        ),
        (
            Acl("User:checkout", "cluster", "kafka-cluster", "literal", "DescribeConfigs"),
            Cell("checkout", "cluster", "kafka-cluster", "DescribeConfigs"),
        ),
    ],
    ids=["topic", "cluster"],
)
async def test_one_permission_too_many__is_found(addresses, secured_kafka, too_many, cell):
    await change_acls(secured_kafka.admin, add=[too_many])
    try:
        found = differing(await tried(addresses[cell.principal], cells([cell.principal])))
    finally:
        await change_acls(secured_kafka.admin, remove=[too_many])
    assert found[cell] is True
    assert set(found) <= {cell, Cell(cell.principal, cell.resource, cell.name, "Describe")}, "and what comes with it"


async def test_one_permission_too_few__is_found(addresses, secured_kafka):
    lost = Acl("User:notifier", "topic", TRANSACTIONS.name, "literal", "Read")
    await change_acls(secured_kafka.admin, remove=[lost])
    try:
        found = differing(await tried(addresses["notifier"], cells(["notifier"])))
    finally:
        await change_acls(secured_kafka.admin, add=[lost])
    assert found == {Cell("notifier", "topic", TRANSACTIONS.name, "Read"): False}
