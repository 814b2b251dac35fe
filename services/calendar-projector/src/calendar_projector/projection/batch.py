"""From a batch of records to patches: what can be folded at once, and what needs the careful way."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from booking_contracts.decode import Decoded, Record
from booking_inbox.reading import Poison, key_text, read, record_of
from calendar_projector.projection.facts import fact
from calendar_projector.projection.fold import Patch
from calendar_projector.projection.merge import Merged
from calendar_projector.projection.recognise import Plain, recognise

Item = Plain | Decoded | Poison
_TURN = 250


@dataclass(slots=True)
class Batch:
    """Records by session. `patches` are runs without gap, repeat or poison; `careful` are the keys of all others."""

    all: Sequence[Any] = ()
    patches: dict[str, Patch] = field(default_factory=dict[str, Patch])
    raws: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    careful: set[str] = field(default_factory=set[str])
    merged: Merged = field(default_factory=Merged)
    """What the last try wrote."""


async def fold_in_turns(raws: Sequence[Any], prefix: str = "", *, at_a_glance: bool = True) -> Batch:
    """As `fold`, a part at a time: a rebuild's batch takes a good part of a second, and others want their turn."""
    batch = Batch(raws)
    for start in range(0, len(raws), _TURN):
        fold(raws[start : start + _TURN], prefix, at_a_glance=at_a_glance, into=batch)
        await asyncio.sleep(0)
    return batch


def fold(raws: Sequence[Any], prefix: str = "", *, at_a_glance: bool = True, into: Batch | None = None) -> Batch:
    """Fold a batch. Within a session the records keep their order, across sessions there is none to keep."""
    batch = Batch() if into is None else into
    raws_of, patches, careful = batch.raws, batch.patches, batch.careful
    for raw in raws:
        item = (recognise(raw) if at_a_glance else None) or decoded(raw, prefix)
        key = item[0] if isinstance(item, Plain) else _key(item)
        if key in raws_of:
            raws_of[key].append(raw)
        else:
            raws_of[key] = [raw]
        if key not in careful and not _folded(patches, key, item):
            careful.add(key)
            patches.pop(key, None)
    return batch


def decoded(raw: Any, prefix: str) -> Decoded | Poison:
    """The record decoded the long way, or why it cannot be."""
    return read(raw if isinstance(raw, Record) else record_of(raw, prefix), sequenced=True)


def _folded(patches: dict[str, Patch], key: str, item: Item) -> bool:
    if isinstance(item, Plain):
        _, version, kind, told, happened = item
    elif isinstance(item, Decoded) and item.meta.sequence is not None:
        version, (kind, told, happened) = item.meta.sequence, fact(item)
    else:
        return False
    patch = patches.get(key)
    if patch is None:
        patch = patches[key] = Patch(key, version, version)
    elif version != patch.last + 1:
        return False
    patch.last = version
    patch.take(kind, told, happened)
    return True


def _key(item: Decoded | Poison) -> str:
    match item:
        case Decoded():
            return item.meta.subject
        case Poison():
            # A poisoned record without a readable key blocks no session: it stands alone.
            return key_text(item.record.key) or ""
