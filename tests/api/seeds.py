"""What exists in each service before the tests: made by its own commands, or told by its peers' records.

All of it is the signed-in member's and practitioner's, in every status, so that what is generated meets more than 404.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
from services.notifier.tests.given import Case
from tests.api.service_under_test import MANUAL_SECRET, PEOPLE, STRANGER, ServiceUnderTest
from tests.api.told import case_of_the_people, poisoned, tell

from booking_contracts.topics import SESSIONS, TRANSACTIONS

PRODUCTS = [UUID(int=0x0199_0000_0000_7000_8000_0000_0000_00A0 + n) for n in range(3)]
PRACTITIONERS = [PEOPLE["practitioner"], *(UUID(int=PEOPLE["practitioner"].int + 0x100 * n) for n in (1, 2))]
COPIES = 3
"""Of each thing in each status: what one role's examples end, another's still find."""
HELD = 12
MEETING = "https://meet.google.com/abc-defg-hij"
RESULT = {"result_notes": "Selesai"}
WEBHOOKS = {
    "url": "https://gateway.example.com/webhooks",
    "event_types": ["com.booking.checkout.TransactionPaid.v2"],
    "description": "The gateway",
}
REASON = {"reason_code": "other", "reason": "Berhalangan"}


def seed(service: ServiceUnderTest) -> None:
    """Fills `service.known` and `service.wanted`."""
    with httpx2.Client(base_url=service.url, timeout=30) as client:
        call = Calls(service, client)
        _SEEDS[service.name](service, call)
        held = call("admin", "GET", "/v1/held-records?limit=200")["items"]
    service.known["held_id"] = [one["id"] for one in held]


class Calls:
    """The service's own commands, each of which must succeed."""

    def __init__(self, service: ServiceUnderTest, client: httpx2.Client) -> None:
        self.client = client
        self._headers = {role: service.headers(role) for role in PEOPLE}

    def __call__(self, role: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = self._headers[role] | {name.replace("_", "-"): value for name, value in headers.items()}
        return _done(self.client.request(method, path, json=body, headers=named))

    def notify(self, body: dict[str, Any]) -> None:
        """A `manual` notification with its proof."""
        raw = json.dumps(body).encode()
        _done(self.client.post("/v1/payments/manual/notifications", content=raw, headers=signed(raw)))


def signed(raw: bytes) -> dict[str, str]:
    """The proof of a `manual` notification (api.md)."""
    proof = hmac.new(MANUAL_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    return {"X-Signature": proof, "Content-Type": "application/json"}


def notification(transaction_id: str, status: str = "paid", amount: int = 250_000) -> dict[str, Any]:
    """A `manual` notification."""
    parts = {"notification_id": str(uuid4()), "transaction_id": transaction_id, "status": status}
    return {**parts, "amount": amount, "currency": "IDR"}


def a_schedule(days: int, hour: int) -> dict[str, Any]:
    """A time that is ahead; one person's must differ by day or hour."""
    date = (datetime.now(UTC) + timedelta(days=2 + days)).date().isoformat()
    times = {"scheduled_date": date, "time_start": f"{hour:02}:00", "time_end": f"{hour:02}:45"}
    return {**times, "timezone": "Asia/Jakarta", "meeting_link": MEETING}


def _checkout(service: ServiceUnderTest, call: Calls) -> None:
    product = {"kind": "counseling", "tier": "basic", "price": {"amount": 250_000, "currency": "IDR"}}
    for number, id_ in enumerate(PRODUCTS):
        call("admin", "PUT", f"/v1/products/{id_}", {**product, "name": f"Konseling {number}"})
    for number, id_ in enumerate(PRACTITIONERS):
        profile = {"name": f"Budi {number}", "phone": f"+628123456789{number}", "tiers": ["basic"]}
        call("admin", "PUT", f"/v1/practitioners/{id_}", profile)
    wish = {"product_id": str(PRODUCTS[0]), "practitioner_id": str(PRACTITIONERS[0])}
    _done(call.client.get("/v1/me", headers=service.headers("member", STRANGER)))
    # Paid ones first: nobody has more than 20 unpaid ones.
    paid = [call("member", "POST", "/v1/transactions", wish)["id"] for _ in range(3 * COPIES)]
    for id_ in paid:
        call.notify(notification(id_))
    for id_ in paid[:COPIES]:
        call("admin", "POST", f"/v1/transactions/{id_}/refund", {"reason": "Sakit"})
    for id_ in [*paid, *(f"unknown-{n}" for n in range(2 * COPIES))]:
        call.notify(notification(id_, amount=1))
    unpaid = [call("member", "POST", "/v1/transactions", wish)["id"] for _ in range(3 * COPIES)]
    for id_ in unpaid[:COPIES]:
        call("member", "POST", f"/v1/transactions/{id_}/cancel", {})
    reviews = call("admin", "GET", "/v1/payment-reviews?limit=200")["items"]
    tell(service, poisoned(case_of_the_people(), SESSIONS.name, HELD))
    # A practitioner's and a product's own addresses are written to; buyers need some that stay as they are.
    service.known |= {
        "product_id": [str(PRODUCTS[1])],
        "practitioner_id": [str(one) for one in PRACTITIONERS[:2]],
        "review_id": [one["id"] for one in reviews],
        "person_id": [str(STRANGER)],
        "provider": ["manual", "midtrans"],
    }
    service.wanted |= {
        "product_id": [str(PRODUCTS[0]), str(PRODUCTS[2])],
        "practitioner_id": [str(PRACTITIONERS[0])],
        "new_practitioner_id": [str(PRACTITIONERS[2])],
    }
    service.fitting |= {
        "cancel_transaction member": [unpaid.pop()],
        "cancel_transaction admin": [unpaid.pop()],
        "refund_transaction admin": [paid.pop()],
        "reassign_transaction admin": [paid.pop()],
    }
    service.known["transaction_id"] = [*paid, *unpaid]


def _consultation(service: ServiceUnderTest, call: Calls) -> None:
    wishes = [*_FITTING.items(), *(("", steps) for steps in _STEPS * COPIES)]
    treated, open_ = [case_of_the_people() for _ in wishes], [case_of_the_people() for _ in range(3 * COPIES)]
    people = [*treated[0].contacts(), treated[0].profile()]
    sales = [record for case in [*treated, *open_] for record in (case.created(), case.assigned(), case.paid())]
    tell(service, [*people, *sales, *poisoned(treated[0], TRANSACTIONS.name, HELD)])
    assessments = [str(uuid4()) for _ in range(COPIES)]
    for id_ in assessments:
        done = {"user_id": str(PEOPLE["member"]), "completed_at": "2026-01-02T03:04:05Z"}
        call("service", "PUT", f"/v1/assessments/{id_}", done)
    sessions: list[str] = []
    for day, (case, (fits, steps)) in enumerate(zip(treated, wishes, strict=True)):
        session = call("member", "POST", "/v1/sessions", {"transaction_id": str(case.transaction)})["id"]
        for step in steps:
            role, body = _TREATED[step]
            call(role, "POST", f"/v1/sessions/{session}/{step}", body or a_schedule(day, 9))
        service.fitting.setdefault(fits, []).append(session)
        sessions += [] if fits else [session]
    service.fitting["request_session member"] = [str(open_.pop().transaction)]
    service.known |= {"session_id": sessions, "assessment_id": assessments}
    service.wanted |= {"transaction_id": [str(case.transaction) for case in open_], "assessment_id": assessments}


_TREATED: dict[str, tuple[str, Any]] = {
    "schedule": ("practitioner", None),
    "start": ("practitioner", {}),
    "result": ("practitioner", RESULT),
    "cancel": ("member", REASON),
    "fail": ("admin", REASON),
}
_STEPS = [[], ["schedule"], ["schedule", "start"], ["schedule", "result"], [], ["cancel"], ["schedule", "fail"]]
_FITTING = {
    "schedule_session practitioner": [],
    "reschedule_session practitioner": ["schedule"],
    "start_session practitioner": ["schedule"],
    "upload_session_result practitioner": ["schedule"],
    "cancel_session member": [],
    "cancel_session practitioner": ["schedule"],
    "fail_session admin": [],
}


def _notifier(service: ServiceUnderTest, call: Calls) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=2)  # older than this installation: skipped, so it may be sent again
    cases = [case_of_the_people() for _ in range(2 * COPIES)]
    tell(service, cases[0].contacts())
    tell(service, [record for case in cases for record in _told_of(case, long_ago)])
    tell(service, poisoned(cases[0], SESSIONS.name, HELD))
    found = call("admin", "GET", "/v1/notifications?limit=200")["items"]
    service.known["notification_id"] = [one["id"] for one in found]
    service.fitting |= {
        "get_notification member": _ids(found, recipient_id=str(PEOPLE["member"])),
        "get_notification practitioner": _ids(found, recipient_id=str(PEOPLE["practitioner"])),
        "resend_notification admin": _ids(found, status="skipped"),
    }
    service.wanted |= {
        "session_id": [str(case.session) for case in cases],
        "transaction_id": [str(case.transaction) for case in cases],
    }
    endpoints = [call("admin", "POST", "/v1/webhook-endpoints", WEBHOOKS)["id"] for _ in range(COPIES + 1)]
    service.fitting["delete_webhook_endpoint admin"] = [endpoints.pop()]
    tests = [call("admin", "POST", f"/v1/webhook-endpoints/{id_}/test")["id"] for id_ in endpoints]
    service.known |= {"endpoint_id": endpoints, "delivery_id": tests}


def _ids(items: list[dict[str, Any]], **like: str) -> list[str]:
    return [one["id"] for one in items if like.items() <= one.items()][:1]


def _told_of(case: Case, at: datetime) -> list[Any]:
    sale = [case.created(), case.assigned(), case.paid(at)]
    return [*sale, case.requested(at), case.scheduled(at=at), case.canceled()]


def _calendar(service: ServiceUnderTest, call: Calls) -> None:
    cases = [case_of_the_people() for _ in range(2 * COPIES)]
    now = datetime.now(UTC)
    told = [[case.requested(), case.scheduled(now + timedelta(days=n))] for n, case in enumerate(cases)]
    told += [[case.canceled()] for case in cases[:COPIES]]
    tell(service, [record for records in told for record in records])
    tell(service, poisoned(cases[0], SESSIONS.name, HELD))
    for role in ("member", "practitioner", "admin"):
        service.fitting[f"revoke_calendar_feed {role}"] = [call(role, "POST", "/v1/calendar/feeds")["id"]]
    feeds = [call("member", "POST", "/v1/calendar/feeds") for _ in range(COPIES)]
    lasting = [call("member", "POST", "/v1/calendar/feeds") for _ in range(COPIES)]
    service.known |= {
        "feed_id": [feed["id"] for feed in feeds],
        "token": [feed["url"].rpartition("/")[2].removesuffix(".ics") for feed in lasting],
        "name": ["calendar", "user_schedule"],
    }
    service.wanted["practitioner_id"] = [str(PEOPLE["practitioner"])]


_SEEDS = {"checkout": _checkout, "consultation": _consultation, "notifier": _notifier, "calendar": _calendar}


def _done(answer: httpx2.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None
