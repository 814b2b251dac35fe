"""What a long-lived process does with memory that it no longer uses.

Collecting garbage of all ages is rare here (`settle`), and glibc keeps what was freed between things in use: after ten
minutes of outages a quarter of a process was neither used nor given back. So every few minutes both are done, at a
pause of some hundredths of a second.
"""

import asyncio
import ctypes
import gc

_COLLECT_AFTER = 50_000
_EVERY_SECONDS = 300.0


def settle() -> None:
    """After start-up: what is loaded by now stays for ever, and scanning it again and again would be most of a busy
    worker's slowest per cent."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


async def tidy_now_and_then(every: float = _EVERY_SECONDS) -> None:
    """Until cancelled, every so many seconds."""
    while True:
        await asyncio.sleep(every)
        await tidy()


async def tidy() -> None:
    """Collect garbage of all ages, and give what is free back to the system where its C library can (glibc)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        await asyncio.to_thread(trim, 0)  # without the interpreter's lock
