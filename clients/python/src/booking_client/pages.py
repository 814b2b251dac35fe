"""A list, page after page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from booking_client.answers import Answer

Item_co = TypeVar("Item_co", covariant=True)
Page_co = TypeVar("Page_co", covariant=True)


class Pages(Generic[Item_co, Page_co]):
    """`async for item in pages` reads on as long as there is more; `first()` is one page, for who pages themselves.

    Nothing is asked before; each page is a call of its own.
    """

    def __init__(self, read: Callable[[str | None], Awaitable[Answer[Any]]], cursor: str | None) -> None:
        self._read = read
        self._cursor = cursor

    async def first(self) -> Answer[Page_co]:
        """The page at the given `cursor`; its `next_cursor` is the next one's, or None."""
        return await self._read(self._cursor)

    async def pages(self) -> AsyncIterator[Answer[Page_co]]:
        """All from there on."""
        page = await self._read(self._cursor)
        yield page
        while cursor := page.body.get("next_cursor"):
            page = await self._read(cursor)
            yield page

    async def __aiter__(self) -> AsyncIterator[Item_co]:
        page: Answer[Any]
        async for page in self.pages():
            for item in page.body["items"]:
                yield item
