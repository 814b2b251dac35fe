"""Every Kafka client of ours is made of the brokers' one value, so that TLS and passwords reach all of them."""

import ast
from collections.abc import Iterator
from pathlib import Path

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


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for pattern in FOLDERS:
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
