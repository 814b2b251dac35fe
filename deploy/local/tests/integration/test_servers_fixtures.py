"""The run's servers give every test a database and topics of its own."""

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from booking_contracts.deadlines import connected

pytestmark = pytest.mark.servers


def _create_table(databases):
    with psycopg.connect(databases.owner_url) as owner:
        owner.execute("CREATE TABLE thing (id int)")
        owner.execute(f"GRANT SELECT, INSERT ON thing TO {databases.name}_app")


def test_new_database__the_owner_migrates_and_the_app_role_may_not(postgres):
    databases = postgres.create_database(migrate=_create_table)
    with psycopg.connect(databases.app_url) as app:
        app.execute("INSERT INTO thing VALUES (1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE TABLE other (id int)")


def test_clone__each_test_gets_the_templates_tables_and_none_of_anothers_rows(postgres):
    first, second = (postgres.clone("clone_template", _create_table) for _ in range(2))
    with psycopg.connect(first.app_url) as app:
        app.execute("INSERT INTO thing VALUES (1)")
    with psycopg.connect(second.app_url) as app:
        assert app.execute("SELECT count(*) FROM thing").fetchone() == (0,)


async def test_kafka__a_record_is_acknowledged_in_a_topic_with_a_prefix(kafka):
    prefix = kafka.prefix()
    kafka.create_topics(prefix, ["booking.checkout.transactions.v1"])
    async with connected(AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")) as producer:
        sent = await producer.send_and_wait(f"{prefix}booking.checkout.transactions.v1", b"{}", key=b"k")
    assert sent.offset == 0
