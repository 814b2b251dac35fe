"""The open streams of this copy, and what is handed to them.

Places are times, so that another copy's are understood: who comes back with one is told again what came since, from a
second before, for clocks differ. What can't be told one by one, since it is too much or too old, is told as `refresh`:
show again what you show.
"""

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field

from booking_gateway.live.changes import Change
from booking_gateway.signin.session import Session

MOST_OF_PERSON = 12
_MOST = 5000
_MOST_WAITING = 100
_KEPT = 1000
_CLOCKS_MS = 1000
_LIVE, _NOT_LIVE, _REFRESH = (json.dumps({"type": word}) for word in ("live", "not_live", "refresh"))


@dataclass(eq=False)
class Stream:
    """One page's. What waits is bounded: who is slow gets `refresh` in its place."""

    person: str
    admin: bool
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    waiting: deque[tuple[int, str]] = field(default_factory=deque[tuple[int, str]])

    def put(self, place: int, text: str) -> None:
        """Never waits."""
        if len(self.waiting) >= _MOST_WAITING:
            self.waiting.clear()
            text = _REFRESH
        self.waiting.append((place, text))
        self.news.set()

    def end(self) -> None:
        """The page comes again by itself, if it still may."""
        self.ended = True
        self.news.set()

    def may_know(self, change: Change) -> bool:
        """Whether its viewer may read what changed."""
        return self.admin or self.person in change.people


class Hub:
    """`live` is whether changes are heard now."""

    def __init__(self) -> None:
        self.live = False
        self._streams: dict[str, set[Stream]] = {}
        self._recent: deque[tuple[int, Change]] = deque(maxlen=_KEPT)
        self._whole_since = 0
        self._stopped = False

    def has_room(self, viewer: Session) -> bool:
        """Whether one more stream of this person may be opened."""
        own = len(self._streams.get(viewer.sub.lower(), ()))
        return not self._stopped and own < MOST_OF_PERSON and len(self._all()) < _MOST

    @contextlib.contextmanager
    def open(self, viewer: Session, since: int) -> Iterator[Stream]:
        """A stream of what its viewer may know, from the place `since` on."""
        stream = Stream(viewer.sub.lower(), "admin" in viewer.roles, ended=self._stopped)
        own = self._streams.setdefault(stream.person, set())
        own.add(stream)
        try:
            self._begin(stream, since - _CLOCKS_MS)
            yield stream
        finally:
            own.discard(stream)
            if not own:
                self._streams.pop(stream.person, None)

    def tell(self, change: Change) -> None:
        """Hand a change to whom it may concern."""
        place = _now()
        if len(self._recent) == _KEPT:
            self._whole_since = self._recent[0][0] + 1
        self._recent.append((place, change))
        for stream in self._all():
            if stream.may_know(change):
                stream.put(place, change.told())

    def is_live(self, live: bool) -> None:
        """Changes are heard from now on, or not any more. What came between is not known: all are shown again."""
        if live == self.live:
            return
        self.live = live
        if live:
            self._recent.clear()
            self._whole_since = _now()
        for stream in self._all():
            stream.put(_now(), _LIVE if live else _NOT_LIVE)
            if live:
                stream.put(_now(), _REFRESH)

    def end(self, person: str) -> None:
        """End a person's streams: they signed out somewhere."""
        for stream in list(self._streams.get(person.lower(), ())):
            stream.end()

    def stop(self) -> None:
        """End all streams, and open none."""
        self._stopped = True
        for stream in self._all():
            stream.end()

    def _begin(self, stream: Stream, since: int) -> None:
        stream.put(_now(), _LIVE if self.live else _NOT_LIVE)
        if self.live and since < self._whole_since:
            stream.put(_now(), _REFRESH)
            return
        for place, change in self._recent:
            if place > since and stream.may_know(change):
                stream.put(place, change.told())

    def _all(self) -> list[Stream]:
        return [stream for of_person in self._streams.values() for stream in of_person]


async def messages(stream: Stream, hub: Hub, until: float, *, beat: float = 15.0) -> AsyncGenerator[tuple[int, str]]:
    """Each with its place, until the stream ends, at `until` (Unix seconds) at the latest. Whether changes are heard is
    said after `beat` seconds without one, so that both sides know that the other is there."""
    while not stream.ended and (left := until - time.time()) > 0:
        while stream.waiting:
            yield stream.waiting.popleft()
        stream.news.clear()
        if stream.ended or stream.waiting:
            continue
        try:
            async with asyncio.timeout(min(left, beat)):
                await stream.news.wait()
        except TimeoutError:
            stream.put(_now(), _LIVE if hub.live else _NOT_LIVE)


def _now() -> int:
    """Milliseconds."""
    return time.time_ns() // 1_000_000
