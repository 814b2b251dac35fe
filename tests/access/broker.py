"""Each principal with each operation on each topic, group and the cluster, asked of a real broker; and what should be.

Each is tried by the request that needs exactly that permission, and told by the broker's own code. Nothing is left
behind by what is refused; what is let through changes nothing (`validate_only`) but for a record that is written.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.admin import (
    AlterConfigsRequest,
    CreateAclsRequest_v1,
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteGroupsRequest,
    DeleteTopicsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
)
from aiokafka.protocol.api import Request
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from booking_contracts.access import GROUPS, Grant, grants, principals
from booking_contracts.acls import _Describe
from booking_contracts.brokers import connection_options
from booking_contracts.topics import TOPICS

NOBODY = "nobody"
"""Somebody whom the broker lets in and the catalogue doesn't name."""
PRINCIPALS = (*principals(), NOBODY)
FOREIGN_TOPIC, FOREIGN_GROUP, NEW_TOPIC = "not.of.the.catalogue.v1", "somebody-elses", "made.by.nobody.v1"
TOPIC_NAMES = (*(topic.name for topic in TOPICS), FOREIGN_TOPIC)
GROUP_NAMES = (*(f"{name}matrix" for name in GROUPS.values()), FOREIGN_GROUP)

_NOT_AUTHORIZED = {29, 30, 31, 53}
"""TOPIC_, GROUP_, CLUSTER_ and TRANSACTIONAL_ID_AUTHORIZATION_FAILED."""
_TOPIC, _BROKER = 2, 4
_MS = 30_000
_NO_ID: Any = None
_NOT_YET = frozenset({14, 15, 16})
"""A coordinator that has only begun, which is asked after permissions are."""
_BYTES = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One question: may this principal do that with this resource?"""

    principal: str
    resource: str
    name: str
    operation: str


def _batch() -> bytes:
    made: Any = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, _BYTES)
    made.append(0, timestamp=1_800_000_000_000, key=b"matrix", value=b"{}", headers=[])
    return bytes(made.build())


class _CreateNoAcl(Request[CreateAclsRequest_v1]):
    API_KEY = 30

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class([(2, "t", 3, "User:nobody-at-all", "*", 3, 3)])


def _new(name: str) -> CreateTopicsRequest:
    row: Any = (name, 1, 1, [], [])
    return CreateTopicsRequest([row], _MS, True)


@dataclass(frozen=True, slots=True)
class _Try:
    """How one operation is tried: the request, where its answer has the code, and the codes beside 0 that come of
    something else than permission, after it was looked at."""

    ask: Callable[[str], Any]
    code: Callable[[Any], int]
    well: frozenset[int] = frozenset()


_TOPIC_TRIES = {
    "Read": _Try(
        lambda name: FetchRequest(0, 0, _BYTES, 0, [(name, [(0, 0, _BYTES)])]),
        lambda answer: answer.topics[0][1][0][1],
        frozenset({1}),  # OFFSET_OUT_OF_RANGE
    ),
    "Write": _Try(
        lambda name: ProduceRequest(None, -1, _MS, [(name, [(0, _batch())])]),
        lambda answer: answer.to_object()["topics"][0]["partitions"][0]["error_code"],
    ),
    "Describe": _Try(
        lambda name: MetadataRequest([name], allow_auto_topic_creation=False),
        lambda answer: answer.to_object()["topics"][0]["error_code"],
    ),
    "DescribeConfigs": _Try(
        lambda name: DescribeConfigsRequest([(_TOPIC, name, None)]),
        lambda answer: answer.to_object()["resources"][0]["error_code"],
    ),
    "Create": _Try(
        _new,
        lambda answer: answer.to_object()["topic_errors"][0]["error_code"],
        frozenset({36}),  # TOPIC_ALREADY_EXISTS
    ),
    "Delete": _Try(
        lambda name: DeleteTopicsRequest([name], _MS),
        lambda answer: answer.to_object()["topic_error_codes"][0]["error_code"],
    ),
    "Alter": _Try(
        lambda name: CreatePartitionsRequest([(name, (9, None))], _MS, True),  # pyright: ignore[reportArgumentType]
        lambda answer: answer.to_object()["topic_errors"][0]["error_code"],
    ),
    "AlterConfigs": _Try(
        lambda name: AlterConfigsRequest([(_TOPIC, name, [("retention.ms", "-1")])], validate_only=True),
        lambda answer: answer.to_object()["resources"][0]["error_code"],
    ),
}
_GROUP_TRIES = {
    "Read": _Try(
        lambda name: HeartbeatRequest(name, 1, "nobody"),
        lambda answer: answer.to_object()["error_code"],
        frozenset({25}),  # UNKNOWN_MEMBER_ID
    ),
    "Describe": _Try(
        lambda name: DescribeGroupsRequest([name]),
        lambda answer: answer.to_object()["groups"][0]["error_code"],
        frozenset({69}),  # GROUP_ID_NOT_FOUND
    ),
    "Delete": _Try(
        lambda name: DeleteGroupsRequest([name]),
        lambda answer: answer.to_object()["results"][0]["error_code"],
        frozenset({69}),
    ),
}
_CLUSTER_TRIES = {
    "Create": _Try(lambda _: _new(NEW_TOPIC), lambda answer: answer.to_object()["topic_errors"][0]["error_code"]),
    "Describe": _Try(lambda _: _Describe(), lambda answer: answer.to_object()["error_code"]),
    "Alter": _Try(lambda _: _CreateNoAcl(), lambda answer: answer.to_object()["creation_responses"][0]["error_code"]),
    "DescribeConfigs": _Try(
        lambda _: DescribeConfigsRequest([(_BROKER, "1", None)]),
        lambda answer: answer.to_object()["resources"][0]["error_code"],
    ),
    "AlterConfigs": _Try(
        lambda _: AlterConfigsRequest([(_BROKER, "1", [])], validate_only=True),
        lambda answer: answer.to_object()["resources"][0]["error_code"],
    ),
    "IdempotentWrite": _Try(
        lambda _: InitProducerIdRequest(_NO_ID, _MS), lambda answer: answer.to_object()["error_code"], _NOT_YET
    ),
}
_TRANSACTION_TRIES = {
    "Write": _Try(
        lambda name: InitProducerIdRequest(name, _MS), lambda answer: answer.to_object()["error_code"], _NOT_YET
    )
}
_TRIES = {
    "topic": (_TOPIC_TRIES, TOPIC_NAMES),
    "group": (_GROUP_TRIES, GROUP_NAMES),
    "cluster": (_CLUSTER_TRIES, ("kafka-cluster",)),
    "transactional-id": (_TRANSACTION_TRIES, ("matrix",)),
}
QUESTIONS = sum(len(tries) * len(names) for tries, names in _TRIES.values())
"""How many each principal is asked."""


def cells(who: Iterable[str] = PRINCIPALS) -> list[Cell]:
    """Every question, of these principals."""
    return [
        Cell(principal, resource, name, operation)
        for principal in who
        for resource, (tries, names) in _TRIES.items()
        for name in names
        for operation in tries
    ]


def expected(cell: Cell) -> bool:
    """What the catalogue says. Kafka takes some permissions for others: who may read, write, delete or alter may
    describe, who may change configs may see them, who writes any topic may do so idempotently."""
    if cell.principal == NOBODY:
        return False
    given = grants(cell.principal)
    if cell.operation == "IdempotentWrite":
        return any(one.resource == "topic" and one.operation == "Write" for one in given)
    wanted = {cell.operation}
    if cell.operation == "Describe":
        wanted |= {"Read", "Write", "Delete", "Alter"}
    if cell.operation == "DescribeConfigs":
        wanted.add("AlterConfigs")
    return any(_about(one, cell) and one.operation in wanted for one in given)


def _about(grant: Grant, cell: Cell) -> bool:
    if grant.resource != cell.resource:
        return False
    return cell.name.startswith(grant.name) if grant.prefixed else cell.name == grant.name


async def tried(address: str, asked: Iterable[Cell]) -> dict[Cell, bool]:
    """What the broker says to who comes by this address; AssertionError for an answer that tells neither."""
    found: dict[Cell, bool] = {}
    async with _connected(address) as connection:
        for cell in asked:
            one = _TRIES[cell.resource][0][cell.operation]
            code = one.code(await connection.send(one.ask(cell.name)))
            assert code in {0, *one.well, *_NOT_AUTHORIZED}, f"{cell}: Kafka's error {code} tells nothing"
            found[cell] = code not in _NOT_AUTHORIZED
    return found


async def all_tried(addresses: dict[str, str]) -> dict[Cell, bool]:
    """The whole matrix, each principal by its own address, all at once."""
    found = await asyncio.gather(*(tried(address, cells([name])) for name, address in addresses.items()))
    return {cell: said for one in found for cell, said in one.items()}


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[Any]:
    host, _, port = address.rpartition(":")
    connection: Any = AIOKafkaConnection(host, int(port), client_id="matrix", **connection_options(address))
    await connection.connect()
    try:
        yield connection
    finally:
        connection.close()
