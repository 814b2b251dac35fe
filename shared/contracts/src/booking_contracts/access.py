"""Who may do what at the broker, derived from the topic catalogue: its writers and readers are the permissions.

Principals are the programs, what else writes a topic (`assessments`), a data team (`analytics`) and whoever looks after
the topics (`operator`). What isn't granted is refused: brokers run with `allow.everyone.if.no.acl.found=false`. Nobody
here has transactional ids: the relay uses neither Kafka's transactions nor its idempotence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from booking_contracts.topics import TOPICS, Topic

Resource = Literal["topic", "group", "cluster"]
Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs", "Alter", "AlterConfigs"]

ANALYTICS, OPERATOR = "analytics", "operator"

GROUPS: dict[str, str] = {
    "checkout": "checkout",
    "consultation": "consultation",
    "notifier": "notifier",
    "calendar-projector": "calendar-",
    ANALYTICS: ANALYTICS,
}
"""What the names of a principal's consumer groups begin with. The gateway reads without a group."""

_SERVICES = GROUPS.keys() - {ANALYTICS}

_OPERATORS: tuple[Operation, ...] = ("Read", "Create", "Describe", "DescribeConfigs", "Alter", "AlterConfigs")


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One permission: `principal` may do `operation` with the resource `name`, or with all whose names begin so."""

    principal: str
    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False


def principals(topics: Sequence[Topic] = TOPICS) -> tuple[str, ...]:
    """Everybody who is granted something, in alphabetical order."""
    programs = {name for topic in topics for name in (*topic.writers, *topic.readers)}
    return tuple(sorted(programs | {ANALYTICS, OPERATOR}))


def grants(principal: str, prefix: str = "", topics: Sequence[Topic] = TOPICS) -> tuple[Grant, ...]:
    """What a principal may do, sorted; `prefix` stands before the names of topics (TOPIC_PREFIX).

    - Who writes a topic also reads it: the relay looks at its last records, checkout reads its erasures.
    - Each program asks whether the topics are there and as catalogued, of all of them: /readyz and its start.
    - The operator makes, compares, repairs and reads topics, and writes none.

    KeyError for a name that is no principal.
    """
    if principal not in principals(topics):
        raise KeyError(principal)
    found = [
        Grant(principal, "topic", prefix + topic.name, operation)
        for topic in topics
        for operation in _of_topic(principal, topic)
    ]
    if group := GROUPS.get(principal):
        found.append(Grant(principal, "group", group, "Read", prefixed=True))
    if principal == OPERATOR:
        found += [Grant(principal, "group", group, "Describe", prefixed=True) for group in GROUPS.values()]
    return tuple(sorted(found))


def all_grants(prefix: str = "", topics: Sequence[Topic] = TOPICS) -> tuple[Grant, ...]:
    """What everybody may do."""
    return tuple(grant for principal in principals(topics) for grant in grants(principal, prefix, topics))


def _of_topic(principal: str, topic: Topic) -> set[Operation]:
    found: set[Operation] = set()
    if principal == OPERATOR:
        found.update(_OPERATORS)
    if principal in _SERVICES:
        found.update(("Describe", "DescribeConfigs"))
    if principal in topic.writers:
        found.update(("Write", "Describe"))
    if principal in topic.readers or (principal in topic.writers and principal in _SERVICES):
        found.update(("Read", "Describe"))
    if principal == ANALYTICS and topic.analytics:
        found.update(("Read", "Describe"))
    return found
