"""What a long-lived process no longer uses is given up, however rarely its garbage is looked at."""

import asyncio
import gc
import weakref
from contextlib import suppress

from booking_process import lifespan


class Ring:
    """Garbage that only a collection finds: it holds itself."""

    def __init__(self) -> None:
        self.me = self


def _old_garbage() -> weakref.ref[Ring]:
    ring = Ring()
    gc.collect(0)
    gc.collect(1)  # it is as old as can be now
    return weakref.ref(ring)


async def test_old_garbage_is_collected_though_collections_of_all_ages_are_rare():
    before = gc.get_threshold()
    try:
        lifespan.settle()
        lost = _old_garbage()
        gc.collect(0)
        gc.collect(1)
        assert lost() is not None, "nobody would have looked at it again for a long time"
        tidying = asyncio.create_task(lifespan.tidy_now_and_then(every=0.01))
        async with asyncio.timeout(60):
            while lost() is not None:  # noqa: ASYNC110 - a collection tells nobody
                await asyncio.sleep(0.01)
        tidying.cancel()
        with suppress(asyncio.CancelledError):
            await tidying
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
