"""Every Kafka client of ours is made of the brokers' one value, so that TLS and passwords reach all of them, and is
started and stopped within a deadline that holds, in tests and benchmarks too (docs/reliability.md, K9)."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.rules.pages import ROOT

CLIENTS = {
    "AIOKafkaClient",
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "AIOKafkaAdminClient",
    "AIOKafkaConnection",
    "KafkaBroker",
}
MAKERS = {"client_options", "connection_options", "faststream_options"}
FOLDERS = ("shared/*/src", "services/*/src", "gateway/src", "deploy/*/src")
EVERYWHERE = ("shared", "services", "gateway", "deploy", "tests", "benchmarks", "examples")


def _trees(folders: Sequence[str] = FOLDERS) -> Iterator[tuple[Path, ast.Module]]:
    for pattern in folders:
        for folder in ROOT.glob(pattern):
            for file in sorted(folder.rglob("*.py")):
                yield file, ast.parse(file.read_text("utf-8"))


def _name(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=inner):
            return _name(inner)
        case _:
            return None


def _made() -> Iterator[tuple[Path, ast.Call]]:
    """Each call that makes a client, also of a class of ours that is one."""
    trees = list(_trees())
    ours = {
        node.name
        for _, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and CLIENTS & {_name(base) for base in node.bases}
    }
    for file, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in CLIENTS | ours:
                yield file, node


def _by_the_one_value(call: ast.Call) -> bool:
    spread = [word.value for word in call.keywords if word.arg is None]
    return any(isinstance(one, ast.Call) and _name(one.func) in MAKERS for one in spread)


def test_every_client__is_made_of_the_brokers_one_value():
    made = list(_made())
    otherwise = [f"{file.relative_to(ROOT)}:{call.lineno}" for file, call in made if not _by_the_one_value(call)]
    assert not otherwise, f"make it with **client_options(...) of booking_contracts.brokers: {otherwise}"
    assert {file.relative_to(ROOT).parts[0] for file, _ in made} == {"shared", "services", "gateway", "deploy"}


def test_no_code__names_brokers_itself():
    named = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in {"bootstrap_servers", "security_protocol"}
        if file.name != "brokers.py"
    ]
    assert not named, named


def _clients_of(tree: ast.Module) -> set[str]:
    """The names that hold a client in this file: variables, attributes, and what `connected` yields."""
    held: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[target], value=ast.Call(func=made)) if _name(made) in CLIENTS:
                held.add(_name(target) or "")
            case ast.AnnAssign(target=target, value=ast.Call(func=made)) if _name(made) in CLIENTS:
                held.add(_name(target) or "")
            case ast.arg(arg=name, annotation=ast.expr() as kind) if _name(kind) in CLIENTS:
                held.add(name)
            case _:
                pass
    return held


def _bare(tree: ast.Module) -> Iterator[ast.Await]:
    """Each await of a client's start or stop itself: it ends when the client pleases."""
    held = _clients_of(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Await(value=ast.Call(func=ast.Attribute(value=client, attr="start" | "stop" | "close"))):
                if _name(client) in held or (isinstance(client, ast.Call) and _name(client.func) in CLIENTS):
                    yield node
            case _:
                pass


def test_every_client__starts_and_stops_within_a_deadline():
    bare = [f"{file.relative_to(ROOT)}:{node.lineno}" for file, tree in _trees(EVERYWHERE) for node in _bare(tree)]
    assert not bare, f"write `async with connected(client)`, or `within(seconds, client.start())`: {bare}"


@pytest.mark.parametrize(
    "written",
    [
        "client = AIOKafkaProducer()\nasync def f(): await client.start()",
        "async def f(client: AIOKafkaConsumer): await client.stop()",
        "async def f(): await AIOKafkaAdminClient().close()",
        "class A:\n async def f(self):\n  self._c = AIOKafkaConsumer[bytes]()\n  await self._c.start()",
    ],
)
def test_a_bare_start__is_seen(written: str):
    assert len(list(_bare(ast.parse(written)))) == 1
