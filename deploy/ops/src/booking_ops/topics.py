"""`booking-ops topics`: the catalogue's topics on a broker: make them, compare them, set them right.

What is set right is configuration, which Kafka changes without a loss. What is not, is said with what to do instead:
the number of partitions decides where a key's records stand, and replicas are the cluster's business.
"""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from booking_contracts.admin import Drift, create_topics, drift, set_configs
from booking_contracts.topics import TOPICS, Topic
from booking_ops.deployment import deployment
from booking_ops.failure import DIFFERENT, GOOD, Failure
from booking_ops.manners import AsJson, Deadline, Yes, done, sure

topics = typer.Typer(no_args_is_help=True, help="The catalogue's topics on the broker: create, compare, repair.")
Which = Annotated[list[str] | None, typer.Option("--topic", help="Only this one; may be repeated [default: all].")]
Replication = Annotated[
    int,
    typer.Option(min=1, envvar="TOPIC_REPLICATION", help="Replicas of each; with three, two must acknowledge."),
]


@topics.command()
def create(*, topic: Which = None, replication: Replication = 3, deadline: Deadline = 60) -> None:
    """Make those that are missing, with the catalogue's partitions and configuration; the others are left alone."""
    where, wanted = deployment(), _chosen(topic)

    async def run() -> list[str]:
        missing = [one.topic for one in await drift(where.kafka, where.prefix, wanted) if one.name is None]
        await create_topics(where.kafka, where.prefix, replication, wanted)
        return missing

    made = done(run(), deadline)
    for name in made:
        print(f"made {name}")
    print(f"{len(made)} made, {len(wanted) - len(made)} were there")


@topics.command()
def compare(*, topic: Which = None, as_json: AsJson = False, deadline: Deadline = 60) -> None:
    """Show how they differ from the catalogue. Exit code 0: not at all; 1: they do."""
    where, wanted = deployment(), _chosen(topic)
    found = done(drift(where.kafka, where.prefix, wanted), deadline)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=1))
    else:
        for one in found:
            print(one.sentence)
        print(f"{len(wanted)} topics, {len(found)} differences")
    raise typer.Exit(DIFFERENT if found else GOOD)


@topics.command()
def repair(*, topic: Which = None, replication: Replication = 3, yes: Yes = False, deadline: Deadline = 120) -> None:
    """Make those that are missing, set configuration right, say what can't be. Exit code 1: something is left."""
    where, wanted = deployment(), _chosen(topic)
    before = done(drift(where.kafka, where.prefix, wanted), deadline)
    for one in before:
        print(one.sentence)
    ours = [one for one in before if one.repairable]
    if ours:
        sure(f"Set {len(ours)} of {len(before)} differences right?", yes=yes)

    async def run() -> list[Drift]:
        await create_topics(where.kafka, where.prefix, replication, wanted)
        await set_configs(where.kafka, where.prefix, {one.topic for one in ours if one.name is not None})
        tries = 0
        while True:  # a broker tells of a change a moment after it took it
            left = await drift(where.kafka, where.prefix, wanted)
            if tries == _TRIES or not any(one.repairable for one in left):
                return left
            tries += 1
            await asyncio.sleep(_AGAIN_SECONDS)

    left = done(run(), deadline)
    for one in left:
        print(f"left: {one.sentence}. {_INSTEAD.get(one.name or '', 'The broker did not take it.')}")
    print(f"{len(before) - len(left)} set right, {len(left)} left")
    raise typer.Exit(DIFFERENT if left else GOOD)


_TRIES, _AGAIN_SECONDS = 40, 0.25
_INSTEAD = {
    "partitions": "More partitions would move keys, and lose their order: stop its owner's workers, delete the topic, "
    "`topics create`, start them, `republish --topic` (docs/operations.md, A topic was lost)"
}


def _chosen(names: list[str] | None) -> list[Topic]:
    unknown = [name for name in names or () if not any(topic.name == name for topic in TOPICS)]
    if unknown:
        raise Failure(f"There is no topic {unknown[0]}: it is one of {', '.join(topic.name for topic in TOPICS)}.")
    return [topic for topic in TOPICS if names is None or topic.name in names]
