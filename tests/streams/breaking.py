"""What may not change once it is published: topics with their key, partitions and retention, headers, types and fields.

Readers of years of history are not asked: what they were promised stays, or becomes a new version of a type. Compared
are the AsyncAPI document and the schema of each version of each type. A reader's schema is open, so a field may be
added if it is optional; everything else that a reader could notice is a break, even where it seems to be none: a text
that may be longer, another value of an enumeration. In what order an enumeration is told, nobody notices.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from booking_contracts.topics import TOPICS

Json = dict[str, Any]

_SAID = {"$schema", "title", "description", "summary", "examples"}
"""Words for people, which bind nobody."""
_PLACE = {"description", "messages", "bindings", "x-configs", "x-analytics"}


@dataclass(frozen=True)
class Contract:
    """The AsyncAPI document, and each schema by its file's name (`SessionScheduled.v1.json`), `spelled_out`."""

    document: Json
    schemas: Json

    @property
    def version(self) -> str:
        """The contract's, such as `1.2.0`."""
        return self.document["info"]["version"]


def spelled_out(schema: Json) -> Json:
    """The schema with each shared part in its places."""
    parts = schema.get("$defs", {})

    def whole(node: Any) -> Any:
        match node:
            case {"$ref": str(reference), **beside}:
                return {**whole(parts[reference.removeprefix("#/$defs/")]), **beside}
            case dict():
                return {name: whole(value) for name, value in node.items() if name != "$defs"}
            case list():
                return [whole(one) for one in node]
            case _:
                return node

    return whole(schema)


def breaks(old: Contract, new: Contract) -> list[str]:
    """A sentence for each promise that `new` does not keep; empty if it only adds."""
    return [*_topics(old.document, new.document), *_messages(old.document, new.document), *_schemas(old, new)]


def concerned(found: list[str], old: Contract) -> list[str]:
    """The topics of these breaks, each with those who read it, in words."""
    of = {channel["address"]: channel["address"] for channel in old.document["channels"].values()}
    of |= {type_: channel["address"] for channel in old.document["channels"].values() for type_ in channel["messages"]}
    starts = [re.match(r"(?:the topic )?([\w.-]+?)(?:\.v\d+)?(?=:| )", sentence) for sentence in found]
    whole = [re.match(r"(?:the topic )?([\w.-]+)", sentence) for sentence in found]
    names = [match[1] for match in (*starts, *whole) if match]
    topics = sorted({of[name] for name in names if name in of})
    readers = {topic.name: ", ".join((*topic.readers, *["a data team"] * topic.analytics)) for topic in TOPICS}
    return [f"{topic} is read by {readers.get(topic) or 'whoever was told of it'}" for topic in topics]


def additions(old: Contract, new: Contract) -> bool:
    """Whether `new`, which breaks nothing, has something that readers can come to rely on."""
    return _bound(new) != _bound(old)


def added(old: Contract, new: Contract) -> list[str]:
    """What `new` has beside `old`: topics, versions of types, fields and headers, in words that readers search for."""
    there = {channel["address"] for channel in old.document["channels"].values()}
    topics = [one["address"] for one in new.document["channels"].values() if one["address"] not in there]
    closed = {one["address"] for one in old.document["channels"].values() if one.get("x-analytics") is False}
    opened = closed & {one["address"] for one in new.document["channels"].values() if one.get("x-analytics")}
    types = [file.removesuffix(".json") for file in new.schemas.keys() - old.schemas.keys()]
    fields = [
        f"`{file.removesuffix('.json')}` `{field}`"
        for file, schema in sorted(old.schemas.items())
        for field in _more(schema, new.schemas.get(file, schema))
    ]
    messages = new.document["components"]["messages"]
    headers = {
        f"header `{field}`"
        for name, message in old.document["components"]["messages"].items()
        for field in _more(message["headers"], messages.get(name, message)["headers"])
    }
    named = [f"topic `{topic}`" for topic in sorted(topics)] + [f"`{one}`" for one in sorted(types)]
    named += [f"topic `{topic}` for a data team" for topic in sorted(opened)]
    return [*named, *fields, *sorted(headers)]


def _more(old: Json, new: Json) -> Iterator[str]:
    """Names of fields that `new` has beside `old`, at every depth."""
    before, now = old.get("properties", {}), new.get("properties", {})
    for field in now:
        if field not in before:
            yield field
        else:
            yield from (f"{field}.{inner}" for inner in _more(before[field], now[field]))
    if "items" in old and "items" in new:
        yield from _more(old["items"], new["items"])


def _bound(contract: Contract) -> Any:
    return _without_words([contract.document["channels"], contract.document["components"], contract.schemas])


def _without_words(node: Any) -> Any:
    match node:
        case dict():
            told = {
                name: value for name, value in node.items() if name not in _SAID or isinstance(value, dict)
            }  # a field
            return {name: _told(name, _without_words(value)) for name, value in told.items()}
        case list():
            return [_without_words(one) for one in node]
        case _:
            return node


def _told(word: str, value: Any) -> Any:
    return sorted(value, key=repr) if word == "enum" and isinstance(value, list) else value


def _topics(old: Json, new: Json) -> Iterator[str]:
    there = {channel["address"]: channel for channel in new["channels"].values()}
    for channel in old["channels"].values():
        name = channel["address"]
        if name not in there:
            yield f"the topic {name} was removed"
            continue
        now, before = _settings(there[name]), _settings(channel)
        for setting in sorted(before.keys() | now.keys()):
            if before.get(setting) != now.get(setting):
                yield f"{name}: {setting} was {before.get(setting)}, is {now.get(setting)}"
        if channel.get("x-analytics") and not there[name].get("x-analytics"):
            yield f"{name}: a data team may read it no more"
        for one in channel["messages"].keys() - there[name]["messages"].keys():
            yield f"{name}: {one} was removed"


def _settings(channel: Json) -> Json:
    """What a reader plans by: partitions, each config, whether there are tombstones, whose time a record has."""
    told = {name: value for name, value in channel.items() if name not in _PLACE}
    return {**told, "partitions": channel["bindings"]["kafka"]["partitions"], **channel["x-configs"]}


def _messages(old: Json, new: Json) -> Iterator[str]:
    there = new["components"]["messages"]
    for name, message in old["components"]["messages"].items():
        if name not in there:
            continue  # said of its topic
        now = there[name]
        if now["name"] != message["name"]:
            yield f"{name}: {message['name']} is written no more, {now['name']} is"
            continue
        if (was := _key(message)) != (is_ := _key(now)):
            yield f"{name}: the key was {was}, is {is_}"
        yield from _node(f"{name}: header", message["headers"], now["headers"])
        if message["contentType"] != now["contentType"]:
            yield f"{name}: the content type was {message['contentType']}, is {now['contentType']}"


def _key(message: Json) -> Any:
    return _without_words(message["bindings"]["kafka"]["key"])


def _schemas(old: Contract, new: Contract) -> Iterator[str]:
    for file, schema in old.schemas.items():
        name = file.removesuffix(".json")
        if file not in new.schemas:
            yield f"{name}: its schema was removed"
        else:
            yield from _node(name, schema, new.schemas[file])


def _node(where: str, old: Any, new: Any) -> Iterator[str]:
    """The breaks below one place of a schema."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{where} was {old}, is {new}"
        return
    yield from _fields(where, old, new)
    apart = {"properties", "required", "items", "contentSchema"} | _SAID
    for word in sorted((old.keys() | new.keys()) - apart):
        if _told(word, old.get(word)) != _told(word, new.get(word)):
            yield f"{where}: {word} was {old.get(word)}, is {new.get(word)}"
    for inner in ("items", "contentSchema"):
        if inner in old or inner in new:
            yield from _node(f"{where} {inner}" if inner == "items" else where, old.get(inner), new.get(inner))


def _fields(where: str, old: Json, new: Json) -> Iterator[str]:
    fields, now = old.get("properties", {}), new.get("properties", {})
    needed, needed_now = set(old.get("required", ())), set(new.get("required", ()))
    for field in fields:
        if field not in now:
            yield f"{where} {field} was removed"
        else:
            yield from _node(f"{where} {field}", fields[field], now[field])
    for field in sorted(needed_now - needed):
        yield f"{where} {field} became required"
    for field in sorted((needed - needed_now) & now.keys()):
        yield f"{where} {field} is no longer always there"
