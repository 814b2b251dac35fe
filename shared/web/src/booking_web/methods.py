"""Which methods a path takes, as RFC 9110 asks: HEAD wherever GET is (§9.1), OPTIONS everywhere, `Allow` with all."""

import re
from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Methods:
    """The methods of every path of an application, looked up when first asked for."""

    def __init__(self) -> None:
        self._table: list[tuple[re.Pattern[str], frozenset[str]]] | None = None

    def of(self, routes: Sequence[BaseRoute], path: str) -> frozenset[str]:
        """What may be asked of this path; empty for one that does not exist."""
        if self._table is None:
            found = [(one.path_regex, one.methods) for one in iter_route_contexts(routes) if one.methods]
            self._table = [(pattern, frozenset(methods)) for pattern, methods in found]
        methods = frozenset[str]().union(*(methods for pattern, methods in self._table if pattern.match(path)))
        if not methods:
            return methods
        return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set[str]())


def allow(methods: frozenset[str]) -> str:
    """The value of an `Allow` header."""
    return ", ".join(sorted(methods, key=_ORDER.index))
