"""The catalogue's permissions on a broker: what it has of them, and setting it right; who may log in by a password.

It needs the extra `kafka`. A broker answers these only to who may Describe and Alter the cluster, such as a super user.
Passwords are SCRAM's: the broker gets their salted form and can't tell them again. A user may have one for each
mechanism, so two at a time; that is the overlap in which one is replaced.
"""
# aiokafka's own classes are half typed, hence not strict here.
# pyright: standard, reportIncompatibleMethodOverride=false, reportAssignmentType=false

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1, DescribeAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

from booking_contracts.access import GROUPS, Grant, all_grants, principals
from booking_contracts.admin import admin_client
from booking_contracts.brokers import Mechanism
from booking_contracts.topics import TOPICS, Topic

Pattern = Literal["literal", "prefixed"]

_USER = "User:"
_ANYWHERE, _ALLOW, _ANY = "*", 3, 1
# Kafka's numbers (org.apache.kafka.common.resource.ResourceType, acl.AclOperation, resource.PatternType).
_RESOURCES = {2: "topic", 3: "group", 4: "cluster", 5: "transactional-id", 6: "delegation-token", 7: "user"}
_PATTERNS = {3: "literal", 4: "prefixed"}
_OPERATIONS = {
    2: "All",
    3: "Read",
    4: "Write",
    5: "Create",
    6: "Delete",
    7: "Alter",
    8: "Describe",
    9: "ClusterAction",
    10: "DescribeConfigs",
    11: "AlterConfigs",
    12: "IdempotentWrite",
    13: "CreateTokens",
    14: "DescribeTokens",
    15: "TwoPhaseCommit",
}
_RESOURCE_NUMBERS = {name: number for number, name in _RESOURCES.items()}
_PATTERN_NUMBERS = {name: number for number, name in _PATTERNS.items()}
_OPERATION_NUMBERS = {name: number for number, name in _OPERATIONS.items()}
_MECHANISMS: dict[Mechanism, int] = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
_HASHES: dict[Mechanism, str] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
_ITERATIONS = 4096
"""Kafka's own: passwords are long and random, and each new connection costs both sides so many."""
_SEEN_SECONDS = 30.0


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One entry of the broker's. `principal` is with its kind, as Kafka has it (`User:checkout`)."""

    principal: str
    resource: str
    name: str
    pattern: str
    operation: str
    host: str = _ANYWHERE
    allowed: bool = True

    @classmethod
    def of(cls, grant: Grant) -> "Acl":
        """The entry that a permission of the catalogue is."""
        pattern: Pattern = "prefixed" if grant.prefixed else "literal"
        return cls(_USER + grant.principal, grant.resource, grant.name, pattern, grant.operation)

    @property
    def sentence(self) -> str:
        """What to tell people."""
        may = "may" if self.allowed else "may not"
        names = f"those that begin with {self.name}" if self.pattern == "prefixed" else self.name
        where = "" if self.host == _ANYWHERE else f" from {self.host}"
        return f"{self.principal} {may} {self.operation} {self.resource} {names}{where}"

    def covers(self, resource: str, name: str) -> bool:
        """Whether it speaks of this resource."""
        if self.resource != resource:
            return False
        return name.startswith(self.name) if self.pattern == "prefixed" else self.name in (name, "*")


@dataclass(frozen=True, slots=True)
class AclDrift:
    """How the broker's entries differ from the catalogue's: `missing`, `extra` of our principals, and `foreign`, of
    somebody else with a topic or group of ours."""

    missing: tuple[Acl, ...]
    extra: tuple[Acl, ...]
    foreign: tuple[Acl, ...]


def wanted_acls(prefix: str = "", topics: Sequence[Topic] = TOPICS) -> frozenset[Acl]:
    """What the broker should have."""
    return frozenset(Acl.of(grant) for grant in all_grants(prefix, topics))


async def acls(bootstrap: str) -> frozenset[Acl]:
    """All entries of the broker."""
    async with _asked(bootstrap) as ask:
        answer = await ask(_Describe())
    _refused(answer["error_code"], answer["error_message"], "read the permissions")
    return frozenset(
        Acl(
            one["principal"],
            _RESOURCES.get(found["resource_type"], str(found["resource_type"])),
            found["resource_name"],
            _PATTERNS.get(found["resource_pattern_type"], str(found["resource_pattern_type"])),
            _OPERATIONS.get(one["operation"], str(one["operation"])),
            one["host"],
            one["permission_type"] == _ALLOW,
        )
        for found in answer["resources"]
        for one in found["acls"]
    )


async def acl_drift(bootstrap: str, prefix: str = "", topics: Sequence[Topic] = TOPICS) -> AclDrift:
    """How the broker's entries differ. Of a shared cluster, where topics have a prefix, entries for topics without it
    are another installation's and none of ours. Raises KafkaError where the broker doesn't say."""
    return drift_of(await acls(bootstrap), prefix, topics)


def drift_of(there: Iterable[Acl], prefix: str = "", topics: Sequence[Topic] = TOPICS) -> AclDrift:
    """The same of entries that were read."""
    there, wanted = frozenset(there), wanted_acls(prefix, topics)
    ours = {_USER + name for name in principals(topics)}
    resources = [("topic", prefix + topic.name) for topic in topics]
    resources += [("group", group) for group in GROUPS.values()]
    extra, foreign = set[Acl](), set[Acl]()
    for one in there - wanted:
        touches = any(one.covers(*resource) for resource in resources)
        if one.principal not in ours:
            if touches and one.allowed:
                foreign.add(one)
        elif touches or not prefix or one.resource != "topic":
            extra.add(one)
    return AclDrift(tuple(sorted(wanted - there)), tuple(sorted(extra)), tuple(sorted(foreign)))


async def change_acls(bootstrap: str, *, add: Iterable[Acl] = (), remove: Iterable[Acl] = ()) -> None:
    """Adds and removes these entries, and waits until the broker tells of it. Raises KafkaError when it refuses one."""
    add, remove = sorted(add), sorted(remove)
    async with _asked(bootstrap) as ask:
        if add:
            answer = await ask(_Create([_row(one) for one in add]))
            for one, told in zip(add, answer["creation_responses"], strict=True):
                _refused(told["error_code"], told["error_message"], f"add: {one.sentence}")
        if remove:
            answer = await ask(_Delete([_row(one) for one in remove]))
            for one, told in zip(remove, answer["filter_responses"], strict=True):
                _refused(told["error_code"], told["error_message"], f"remove: {one.sentence}")
    async with asyncio.timeout(_SEEN_SECONDS):
        while True:
            there = await acls(bootstrap)
            if there.issuperset(add) and there.isdisjoint(remove):
                return
            await asyncio.sleep(0.05)


async def scram_users(bootstrap: str) -> dict[str, frozenset[Mechanism]]:
    """Who may log in by a password, and by which mechanisms."""
    async with _asked(bootstrap) as ask:
        answer = await ask(_DescribeUsers())
    _refused(answer["error_code"], answer["error_message"], "read who may log in")
    names: dict[int, Mechanism] = {number: mechanism for mechanism, number in _MECHANISMS.items()}
    return {
        str(one["user"]): frozenset[Mechanism](
            names[info["mechanism"]] for info in one["infos"] if info["mechanism"] in names
        )
        for one in answer["results"]
        if not one["error_code"]
    }


async def set_password(bootstrap: str, user: str, password: str, mechanism: Mechanism = "SCRAM-SHA-512") -> None:
    """Let the user log in with this password by this mechanism, and with no other by it; who is logged in stays."""
    salt = secrets.token_bytes(24)
    salted = hashlib.pbkdf2_hmac(_HASHES[mechanism], password.encode(), salt, _ITERATIONS)
    row = (user, _MECHANISMS[mechanism], _ITERATIONS, salt, salted, {})
    await _alter_users(bootstrap, f"set the password of {user}", [], [row])
    await _until_known(bootstrap, user, mechanism, known=True)


async def remove_password(bootstrap: str, user: str, mechanism: Mechanism) -> None:
    """No more logins of the user by this mechanism; who is logged in stays. KafkaError where there is none."""
    await _alter_users(bootstrap, f"remove the password of {user}", [(user, _MECHANISMS[mechanism], {})], [])
    await _until_known(bootstrap, user, mechanism, known=False)


async def _alter_users(bootstrap: str, what: str, deletions: list[Any], upsertions: list[Any]) -> None:
    async with _asked(bootstrap) as ask:
        answer = await ask(_AlterUsers(deletions, upsertions))
    for one in answer["results"]:
        _refused(one["error_code"], one["error_message"], what)


async def _until_known(bootstrap: str, user: str, mechanism: Mechanism, *, known: bool) -> None:
    async with asyncio.timeout(_SEEN_SECONDS):
        while (mechanism in (await scram_users(bootstrap)).get(user, ())) != known:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _refused(code: int, message: str | None, what: str) -> None:
    if code:
        kind: type[KafkaError] = for_code(code)
        raise kind(f"could not {what}: {message or kind.__name__}")


def _row(one: Acl) -> tuple[Any, ...]:
    return (
        _RESOURCE_NUMBERS[one.resource],
        one.name,
        _PATTERN_NUMBERS[one.pattern],
        one.principal,
        one.host,
        _OPERATION_NUMBERS[one.operation],
        _ALLOW if one.allowed else _ALLOW - 1,
    )


@asynccontextmanager
async def _asked(bootstrap: str) -> AsyncGenerator[Any]:
    """Requests to any of the brokers, who hand what changes something to the controller."""
    async with admin_client(bootstrap) as admin:

        async def ask(request: Request[Any]) -> dict[str, Any]:
            return (await _sent(admin, request)).to_object()

        yield ask


async def _sent(admin: AIOKafkaAdminClient, request: Request[Any]) -> Any:
    return await admin._send_request(request)  # noqa: SLF001 - it has none for these


class _Describe(Request[DescribeAclsRequest_v1]):
    """aiokafka's own says version 2 and writes version 1: the broker ends the connection."""

    API_KEY = 29

    def build(self, request_struct_class: type[DescribeAclsRequest_v1]) -> DescribeAclsRequest_v1:
        return request_struct_class(_ANY, None, _ANY, None, None, _ANY, _ANY)


class _Create(Request[CreateAclsRequest_v1]):
    """Of many entries at once, where aiokafka's own is of one."""

    API_KEY = 30

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._rows)


class _Delete(Request[DeleteAclsRequest_v1]):
    """Likewise. Each row names one entry in full."""

    API_KEY = 31

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class(self._rows)


# SCRAM users (KIP-554), which aiokafka has no words for: https://kafka.apache.org/protocol
_TEXT, _TAGS = CompactString("utf-8"), ("tags", TaggedFields)


class _UsersDescribed(Response):
    API_KEY, API_VERSION = 50, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", _TEXT),
        (
            "results",
            CompactArray(
                ("user", _TEXT),
                ("error_code", Int16),
                ("error_message", _TEXT),
                ("infos", CompactArray(("mechanism", Int8), ("iterations", Int32), _TAGS)),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _DescribeUsersQuestion(RequestStruct):
    API_KEY, API_VERSION, FLEXIBLE_VERSION, RESPONSE_TYPE = 50, 0, True, _UsersDescribed
    SCHEMA = Schema(("users", CompactArray(("name", _TEXT), _TAGS)), _TAGS)


class _DescribeUsers(Request[_DescribeUsersQuestion]):
    API_KEY = 50

    def build(self, request_struct_class: type[_DescribeUsersQuestion]) -> _DescribeUsersQuestion:
        return request_struct_class([], {})


class _UsersAltered(Response):
    API_KEY, API_VERSION = 51, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", CompactArray(("user", _TEXT), ("error_code", Int16), ("error_message", _TEXT), _TAGS)),
        _TAGS,
    )


class _AlterUsersQuestion(RequestStruct):
    API_KEY, API_VERSION, FLEXIBLE_VERSION, RESPONSE_TYPE = 51, 0, True, _UsersAltered
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", _TEXT), ("mechanism", Int8), _TAGS)),
        (
            "upsertions",
            CompactArray(
                ("name", _TEXT),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _AlterUsers(Request[_AlterUsersQuestion]):
    API_KEY = 51

    def __init__(self, deletions: list[Any], upsertions: list[Any]) -> None:
        self._deletions, self._upsertions = deletions, upsertions

    def build(self, request_struct_class: type[_AlterUsersQuestion]) -> _AlterUsersQuestion:
        return request_struct_class(self._deletions, self._upsertions, {})
