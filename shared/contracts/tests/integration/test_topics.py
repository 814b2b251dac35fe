"""The catalogue on a real broker."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from booking_contracts.kafka_admin import TopicMismatch
from booking_contracts.topics import SESSIONS, assert_topics, create_topics

pytestmark = pytest.mark.servers


async def test_topics_are_made_as_catalogued_and_making_them_again_changes_nothing(kafka):
    prefix = kafka.prefix()
    await create_topics(kafka.bootstrap, prefix)
    await create_topics(kafka.bootstrap, prefix)
    await assert_topics(kafka.bootstrap, prefix)


async def test_a_missing_topic_is_named(kafka):
    with pytest.raises(TopicMismatch, match=r"sessions\.v1 is missing"):
        await assert_topics(kafka.bootstrap, kafka.prefix())


async def test_a_topic_with_another_retention_is_named(kafka):
    prefix = kafka.prefix()
    await create_topics(kafka.bootstrap, prefix)
    await _set_retention(kafka.bootstrap, prefix + SESSIONS.name)
    with pytest.raises(TopicMismatch, match=r"sessions\.v1 has retention\.ms=1000, not -1"):
        await assert_topics(kafka.bootstrap, prefix)


async def _set_retention(bootstrap: str, topic: str) -> None:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "1000"})])
    finally:
        await admin.close()
