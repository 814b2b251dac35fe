"""An HTTP client that records: every attempt before it leaves and after its answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
from tests.chaos.history import Attempt, Operation, Recorder
from tests.chaos.stack import Stack

ATTEMPT_SECONDS = 8.0


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    sub: UUID
    role: str
    token: str


class Client:
    """Gives commands until each has a definite answer, or until `patience` (seconds) is over."""

    def __init__(self, stack: Stack, recorder: Recorder) -> None:
        self.stack, self.recorder = stack, recorder
        self.endpoints = stack.endpoints
        self._http = httpx2.AsyncClient(timeout=ATTEMPT_SECONDS, trust_env=False)
        self.requests: dict[str, tuple[str, str, dict[str, str], bytes]] = {}

    async def close(self) -> None:
        await self._http.aclose()

    async def command(
        self,
        who: Person,
        kind: str,
        service: str,
        path: str,
        body: Any = None,
        *,
        method: str = "POST",
        if_match: int | None = None,
        patience: float = 30.0,
    ) -> tuple[Operation, dict[str, Any]]:
        """One command with an idempotency key of its own; the operation and the last answer's body."""
        operation = Operation(uuid4().hex[:12], kind, str(who.sub), service, key=uuid4().hex, target=path)
        assert operation.key is not None
        headers = {"Authorization": f"Bearer {who.token}", "Idempotency-Key": operation.key}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"If-Match": f'"{if_match}"'} if if_match is not None else {}
        content = b"" if body is None else json.dumps(body).encode()
        self.requests[operation.id] = (method, path, headers, content)
        return operation, await self._until_answered(operation, patience)

    async def pay(
        self, transaction_id: str, amount: int, *, payment_id: str | None = None, patience: float = 30.0
    ) -> Operation:
        """The provider's signed notification, repeated until it is taken, as providers do."""
        notification = uuid4().hex
        body = {
            "notification_id": notification,
            "payment_id": payment_id or notification,
            "transaction_id": transaction_id,
            "status": "paid",
            "amount": amount,
            "currency": "IDR",
        }
        content = json.dumps(body).encode()
        secret = self.stack.secrets.manual_secret.encode()
        headers = {"X-Signature": hmac.new(secret, content, hashlib.sha256).hexdigest()}
        operation = Operation(
            uuid4().hex[:12], "pay", "provider", "checkout", None, transaction_id, amount, body["payment_id"]
        )
        self.requests[operation.id] = ("POST", "/v1/payments/manual/notifications", headers, content)
        await self._until_answered(operation, patience)
        return operation

    async def get(self, who: Person, service: str, path: str) -> tuple[int, dict[str, Any]]:
        """A read; (0, {}) when there is no answer."""
        try:
            answer = await self._http.get(
                f"{self.endpoints[service]}{path}", headers={"Authorization": f"Bearer {who.token}"}
            )
        except httpx2.HTTPError:
            return 0, {}
        return answer.status_code, _json(answer)

    async def again(self, operation: Operation) -> dict[str, Any]:
        """One more attempt of an operation, with its own key and bytes."""
        return await self._attempt(operation)

    async def _until_answered(self, operation: Operation, patience: float) -> dict[str, Any]:
        deadline, pause = time.monotonic() + patience, 0.1
        while True:
            answer = await self._attempt(operation)
            if operation.attempts[-1].outcome != "unknown" or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _attempt(self, operation: Operation) -> dict[str, Any]:
        method, path, headers, content = self.requests[operation.id]
        attempt = Attempt(f"{operation.id}-{len(operation.attempts)}", time.time())
        self.recorder.begin(operation, attempt)
        body: dict[str, Any] = {}
        try:
            answer = await self._http.request(
                method,
                f"{self.endpoints[operation.service]}{path}",
                headers={**headers, "X-Request-Id": attempt.request_id},
                content=content,
            )
        except httpx2.HTTPError as error:
            attempt.code = type(error).__name__
        else:
            body = _json(answer)
            _judge(attempt, answer.status_code, body)
            attempt.retry_after = "retry-after" in answer.headers
        self.recorder.end(operation, attempt)
        return body


def _judge(attempt: Attempt, status: int, body: dict[str, Any]) -> None:
    attempt.status, attempt.code = status, body.get("code")
    if status < 300:
        attempt.outcome = "ok"
        attempt.object_id, attempt.version = body.get("id"), body.get("version")
    elif status < 500 and status != 429:
        attempt.outcome = "refused"


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
