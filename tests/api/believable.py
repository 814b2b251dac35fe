"""Generated requests, aimed at what exists: the seeds' ids, and bodies that mean something where shape is not all.

A generated string is hardly ever a meeting link or a date next week. So the first case of an operation is as good as
it can be, a share of the others takes parts of that, and the rest stays as it was generated.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.api.contract.documents import resolved
from tests.api.seeds import REASON, RESULT, WEBHOOKS, a_schedule, notification, signed
from tests.api.service_under_test import PEOPLE, ServiceUnderTest

SHARE = 0.6
PRICE = {"amount": 250_000, "currency": "IDR"}


@dataclass
class Aim:
    """Amends the cases of one operation as one role."""

    service: ServiceUnderTest
    role: str
    chance: Random
    cases: int = field(default=0, init=False)

    def amend(self, case: Any) -> dict[str, Any]:
        """Change the case in place; what else to send with it."""
        good, self.cases = self.cases == 0, self.cases + 1
        operation = case.operation.definition.raw
        taken = [resolved(self.service.document, one) for one in operation.get("parameters", [])]
        if good:
            case.headers, case.query = {}, {name: case.query[name] for name in _required(taken, "query")}
        if good or self.chance.random() < SHARE:
            self._mean_something(case, operation["operationId"])
        if (good or self.chance.random() < SHARE) and operation["operationId"] != "delete_webhook_endpoint":
            self._name_what_exists(case)  # what is deleted others would miss
        if good:
            self._name_what_fits(case, operation["operationId"])
        if "If-Match" in _named(taken, "header") and (good or self.chance.random() < SHARE):
            case.headers["If-Match"] = "*" if good else self.chance.choice(["*", '"1"', '"2"', '"999"'])
        for seconds in {"wait", "wait_for_seconds"} & _named(taken, "query"):
            case.query[seconds] = 0  # for news of others, which never come here
        prove = _PROVEN.get(operation["operationId"])
        return prove(self, case) if prove and (good or self.chance.random() < SHARE) else {}

    def _name_what_fits(self, case: Any, operation_id: str) -> None:
        """An object that this very operation can treat, and no other case has."""
        if fitting := self.service.fitting.get(f"{operation_id} {self.role}"):
            name = list(case.path_parameters)[-1] if case.path_parameters else "transaction_id"
            (case.path_parameters or case.body)[name] = fitting.pop()
        if operation_id == "reassign_transaction":
            case.body["practitioner_id"] = self.service.wanted["new_practitioner_id"][0]

    def _mean_something(self, case: Any, operation_id: str) -> None:
        if body := _BODIES.get(operation_id):
            case.body = body(self.chance, self.role)
        if operation_id in {"list_calendar_events", "list_busy_intervals"}:
            today = datetime.now(UTC).date()
            case.query |= {"start": today.isoformat(), "end": (today + timedelta(days=30)).isoformat()}
            case.query = {name: value for name, value in case.query.items() if not name.endswith("_id")}
            case.query |= {"practitioner_id": str(PEOPLE["practitioner"])} if "busy" in operation_id else {}
        if operation_id == "list_practitioner_directory":
            case.query = {"ids": [str(PEOPLE["practitioner"])]}
        if operation_id == "verify_whatsapp_webhook":
            case.query = {"hub.mode": "subscribe", "hub.verify_token": "verify", "hub.challenge": "1158201444"}

    def _name_what_exists(self, case: Any) -> None:
        for name in (case.path_parameters or {}).keys() & self.service.known.keys():
            case.path_parameters[name] = self.chance.choice(self.service.known[name])
        if self.role == "practitioner" and "/practitioners/" in case.operation.path:
            case.path_parameters["practitioner_id"] = str(PEOPLE["practitioner"])
        for part in (case.body, case.query):
            for name in (part.keys() & self.service.wanted.keys()) if isinstance(part, dict) else ():
                part[name] = self.chance.choice(self.service.wanted[name])


def _payment(aim: Aim, case: Any) -> dict[str, Any]:
    case.path_parameters["provider"] = "manual"
    raw = json.dumps(notification(aim.chance.choice(aim.service.known["transaction_id"]))).encode()
    return {"data": raw, "headers": signed(raw)}


def _statuses(aim: Aim, case: Any) -> dict[str, Any]:
    del aim, case
    raw = b'{"entry": []}'
    proof = hmac.new(b"secret", raw, hashlib.sha256).hexdigest()
    return {"data": raw, "headers": {"X-Hub-Signature-256": f"sha256={proof}", "Content-Type": "application/json"}}


_PROVEN = {"notify_payment": _payment, "receive_whatsapp_statuses": _statuses}
"""Bodies that their sender signs."""


def _required(parameters: list[Any], where: str) -> set[str]:
    return {one["name"] for one in parameters if one["in"] == where and one.get("required")}


def _named(parameters: list[Any], where: str) -> set[str]:
    return {one["name"] for one in parameters if one["in"] == where}


_Body = Callable[[Random, str], dict[str, Any]]


def _schedule(chance: Random, role: str) -> dict[str, Any]:
    del role
    return a_schedule(chance.randrange(40, 300), chance.randrange(24))


_BODIES: dict[str, _Body] = {
    "put_product": lambda *_: {"name": "Konseling", "kind": "counseling", "tier": "basic", "price": PRICE},
    "put_practitioner": lambda *_: {"name": "Budi", "bio": "Psikolog"},
    "put_me": lambda *_: {"name": "Sari", "phone": "+6281234567890", "timezone": "Asia/Jakarta"},
    "create_transaction": lambda *_: {"product_id": "", "practitioner_id": ""},
    "reassign_transaction": lambda *_: {"practitioner_id": "", "reason": "Cuti"},
    "refund_transaction": lambda *_: {"reason": "Sakit"},
    "settle_payment_review": lambda chance, _: {
        "outcome": chance.choice(["refund", "dismiss"]),
        "reason": "Tidak dikenal",
    },
    "request_session": lambda *_: {"transaction_id": ""},
    "schedule_session": _schedule,
    "reschedule_session": _schedule,
    "upload_session_result": lambda *_: RESULT,
    "cancel_session": lambda *_: REASON,
    "fail_session": lambda *_: REASON,
    "create_webhook_endpoint": lambda *_: WEBHOOKS,
    "put_webhook_endpoint": lambda *_: {**WEBHOOKS, "status": "enabled"},
    "rotate_webhook_secret": lambda *_: {},
    "put_assessment": lambda *_: {"user_id": str(PEOPLE["member"]), "completed_at": "2026-01-02T03:04:05Z"},
}
"""An empty id is always replaced by one that exists, or refused as 422."""
