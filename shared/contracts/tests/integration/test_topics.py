"""The catalogue on a real broker."""

import dataclasses

import pytest

from booking_contracts.admin import TopicMismatch, assert_topics, create_topics
from booking_contracts.topics import SESSIONS, Topic

pytestmark = pytest.mark.servers


async def test_topics_are_made_as_catalogued_and_making_them_again_changes_nothing(kafka):
    prefix = kafka.prefix()
    await create_topics(kafka.bootstrap, prefix)
    await create_topics(kafka.bootstrap, prefix)
    await assert_topics(kafka.bootstrap, prefix)


async def test_a_missing_topic_is_named(kafka):
    with pytest.raises(TopicMismatch, match=r"sessions\.v1 is missing"):
        await assert_topics(kafka.bootstrap, kafka.prefix())


@pytest.mark.parametrize(
    ("wanted", "finding"),
    [
        (
            dataclasses.replace(SESSIONS, config={**SESSIONS.config, "retention.ms": "1000"}),
            r"has retention\.ms=-1, not",
        ),
        (dataclasses.replace(SESSIONS, partitions=7), "has 6 partitions, not 7"),
    ],
)
async def test_a_topic_that_differs_is_named(kafka, wanted: Topic, finding: str):
    prefix = kafka.prefix()
    await create_topics(kafka.bootstrap, prefix)
    with pytest.raises(TopicMismatch, match=finding):
        await assert_topics(kafka.bootstrap, prefix, [wanted])
