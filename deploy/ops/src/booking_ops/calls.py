"""HTTP calls as an admin: what a service does by itself is asked of it, in its own words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import uuid4

import httpx2

from booking_ops.deployment import Deployment
from booking_ops.failure import Failure, Refused

_SECONDS = 60.0


class NotThere(Refused):
    """404: the service has no such thing."""


class Calls:
    """One deployment's services, with the operator's token."""

    def __init__(self, deployment: Deployment, client: httpx2.AsyncClient) -> None:
        self._deployment, self._client = deployment, client

    async def ask(
        self, service: str, method: str, path: str, *, params: dict[str, Any] | None = None, body: Any = None
    ) -> Any:
        """The answer's body. NotThere for a 404, Refused with the problem's own words for another refusal, Failure
        when the service or the token can't be used."""
        headers = {"Authorization": f"Bearer {self._deployment.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        url = self._deployment.address(service) + path
        answer = await self._client.request(method, url, headers=headers, params=params, json=body)
        if answer.is_success:
            return _ours(service, answer) if answer.content else None
        said = _problem(answer)
        if answer.status_code == 404:
            raise NotThere(f"{service}: {said}")
        if answer.status_code in (401, 403):
            raise Failure(f"{service} refuses OPERATOR_TOKEN: {said}. It must be an admin's, and not expired.")
        if answer.status_code >= 500:
            raise Failure(f"{service} can't be used: {said}.")
        raise Refused(f"{service} refused: {said}")

    async def everything(self, service: str, path: str) -> AsyncIterator[dict[str, Any]]:
        """Each item of a list, page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self.ask(service, "GET", path, params={"limit": 200, **({"cursor": cursor} if cursor else {})})
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]


@asynccontextmanager
async def calls(deployment: Deployment) -> AsyncIterator[Calls]:
    """For the length of a command."""
    async with httpx2.AsyncClient(trust_env=False, timeout=_SECONDS) as client:
        yield Calls(deployment, client)


def _ours(service: str, answer: httpx2.Response) -> Any:
    """The body of an answer, which is an object; Failure for a page, or whatever else another program says."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Failure(f"What answers at {service.upper()}_URL is not {service}: its answer is no JSON object.")
    return cast("Any", found)


def _problem(answer: httpx2.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return f"{answer.status_code} without a word"
    problem = cast("dict[str, Any]", problem)
    errors = "; ".join(f"{one.get('pointer')}: {one.get('detail')}" for one in problem.get("errors") or ())
    said = str(problem.get("detail") or problem.get("title")).rstrip(".")
    return f"{said} ({problem.get('code')})" + (f" {errors}" if errors else "")
