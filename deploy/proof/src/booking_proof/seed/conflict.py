"""Whether a seed is on a stack already, told otherwise, where nothing was kept of how: asked before the first write."""

from typing import Any

import psycopg

from booking_proof.seed.share import CHUNK
from booking_proof.seed.story import Platform, Size
from booking_proof.seed.streams import told

_ANY = "SELECT 1 FROM events WHERE stream_type = 'transaction' LIMIT 1"
_BEGAN = "SELECT stream_id, id FROM events WHERE version = 1 AND stream_id = ANY(%s)"


async def told_otherwise(checkout: psycopg.AsyncConnection[Any], size: Size) -> bool:
    """Whether purchases of this telling are there in part, or begin otherwise. A chunk is written whole or not at all,
    so that one which broke off is none of these."""
    if await (await checkout.execute(_ANY)).fetchone() is None:
        return False
    for chapter in Platform(size).chunks(CHUNK):
        sales = [one.sale for one in (told(story, size.seed, size.until) for story in chapter.stories)]
        began = {sale.id: sale.events[0].id for sale in sales if sale.events}
        found = dict(await (await checkout.execute(_BEGAN, [list(began)])).fetchall())
        if found and found != began:
            return True
    return False
