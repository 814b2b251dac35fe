"""From a batch of records to patches: what can be folded at once, and what needs the careful way."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from booking_chassis.consumer.reading import Poison, key_text
from booking_contracts.decode import Decoded
from calendar_projector.projection.facts import fact
from calendar_projector.projection.fold import Patch


@dataclass(slots=True)
class Batch:
    """Records by session. `patches` are runs without gap, repeat or poison; `careful` are the keys of all others."""

    patches: dict[str, Patch] = field(default_factory=dict[str, Patch])
    items: dict[str, list[Decoded | Poison]] = field(default_factory=dict[str, list[Decoded | Poison]])
    careful: set[str] = field(default_factory=set[str])


def fold(items: Sequence[Decoded | Poison]) -> Batch:
    """Fold a batch. Within a session the records keep their order, across sessions there is none to keep."""
    batch = Batch()
    for item in items:
        key = _key(item)
        batch.items.setdefault(key, []).append(item)
        if key not in batch.careful and not _folded(batch.patches, key, item):
            batch.careful.add(key)
            batch.patches.pop(key, None)
    return batch


def _folded(patches: dict[str, Patch], key: str, item: Decoded | Poison) -> bool:
    if isinstance(item, Poison) or item.meta.sequence is None:
        return False
    version = item.meta.sequence
    patch = patches.get(key)
    if patch is None:
        patch = patches[key] = Patch(key, version, version)
    elif version != patch.last + 1:
        return False
    patch.last = version
    patch.take(*fact(item))
    return True


def _key(item: Decoded | Poison) -> str:
    # A poisoned record without a readable key blocks no session: it stands alone.
    return item.meta.subject if isinstance(item, Decoded) else key_text(item.record.key) or ""
