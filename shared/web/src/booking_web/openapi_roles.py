"""Who may call what, in the document: OpenAPI 3.1 lets a bearer requirement name roles; one way in for each."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from booking_web.auth import RoleRequired


def with_roles(made: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Each secured operation's `security`: any of its roles, `[]` where every role may call."""
    found = (one for one in iter_route_contexts(routes) if isinstance(one.original_route, APIRoute))
    roles = {str(one.name): wanted for one in found if (wanted := _roles(one.dependant))}
    for path in made.get("paths", {}).values():
        for operation in path.values():
            if operation.get("security") and (wanted := roles.get(operation["operationId"])):
                operation["security"] = [{"bearer": [role]} for role in wanted]


def _roles(dependant: Dependant) -> list[str]:
    """Those that pass each of the route's checks, in the order of the first."""
    checks = [one.call for one in _flat(dependant) if isinstance(one.call, RoleRequired)]
    first = checks[0].roles if checks else ()
    return [role for role in first if all(role in check.roles for check in checks)]


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from _flat(one)
