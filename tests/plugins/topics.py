"""Creating the topics of the catalogue from a synchronous fixture, also while a test's event loop is running."""

import asyncio
import threading


def create_topics(bootstrap: str, prefix: str, names: list[str] | None = None) -> None:
    """The topics of events.md, or those of `names`, as `prefix + logical name`, with partitions and configuration."""
    if names is None:
        from booking_contracts.topics import create_topics as create_all

        work = create_all(bootstrap, prefix)
    else:
        work = _create_some(bootstrap, prefix, names)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)  # pyright: ignore[reportArgumentType]
        except BaseException as failed:
            failures.append(failed)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


async def _create_some(bootstrap: str, prefix: str, names: list[str]) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    from booking_contracts.topics import topic_named

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = [topic_named(name) for name in names]
        answer = await admin.create_topics(
            [
                NewTopic(
                    prefix + topic.name, topic.partitions, 1, topic_configs={**topic.config, "min.insync.replicas": "1"}
                )
                for topic in wanted
            ]
        )
        refused = [error for error in answer.topic_errors if error[1] not in (0, 36)]  # 36: it is there already
        assert not refused, refused
    finally:
        await admin.close()
