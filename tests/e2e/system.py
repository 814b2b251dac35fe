"""A running system as a gateway sees it: HTTP, messages and tokens, nothing else.

The tests of this folder know the public interface alone, so they hold for the stack without Docker
and for the containers alike.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx2

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PROMPT = 0.05  # how often a condition is looked at, seconds


def until(what: str, look: Callable[[], T | None], *, within: float = 120.0) -> T:
    """Return the first truthy answer of `look`, or fail naming `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}; last seen: {answer!r}")
        time.sleep(PROMPT)


def today() -> date:
    """Return the date in UTC; schedules lie days ahead, so no story depends on the hour."""
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    sub: UUID
    role: str
    token: str
    name: str = ""
    email: str = ""
    phone: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class System:
    """The services by name, with `endpoints.json`'s addresses."""

    endpoints: Mapping[str, Any]
    make_token: Callable[..., str]
    http: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=60.0, trust_env=False))

    def person(self, role: str, *, name: str = "", email: str = "", phone: str = "") -> Person:
        sub = uuid4()
        token = self.make_token(role=role, sub=str(sub), name=name, email=email, phone=phone)
        return Person(sub, role, token, name, email, phone)

    def call(self, who: Person | None, service: str, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {**(who.headers if who else {}), **options.pop("headers", {})}
        return self.http.request(method, f"{self.endpoints[service]}{path}", headers=headers, **options)

    def get(self, who: Person | None, service: str, path: str, **options: Any) -> Any:
        return self._ok(self.call(who, service, "GET", path, **options))

    def post(self, who: Person | None, service: str, path: str, body: Any = None, **options: Any) -> Any:
        return self._ok(self.call(who, service, "POST", path, json=body, **options))

    def put(self, who: Person | None, service: str, path: str, body: Any, **options: Any) -> Any:
        return self._ok(self.call(who, service, "PUT", path, json=body, **options))

    def mails_to(self, address: str) -> list[dict[str, Any]]:
        items = self.http.get(f"{self.endpoints['mailbox']}/messages").json()["items"]
        return [item for item in items if address in str(item["to"])]

    def whatsapps_to(self, phone: str) -> list[dict[str, Any]]:
        items = self.http.get(f"{self.endpoints['whatsapp']}/messages").json()["items"]
        return [item for item in items if item.get("to", "").lstrip("+") == phone.lstrip("+")]

    @staticmethod
    def _ok(answer: httpx2.Response) -> Any:
        assert answer.status_code < 300, (
            f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        )
        return answer.json() if answer.content else None


@dataclass
class Cast:
    """The people and the catalogue of one story; every story brings its own, so stories never meet."""

    system: System
    admin: Person
    member: Person
    practitioner: Person
    product: UUID

    def buy(self) -> dict[str, Any]:
        """Create a Transaction as the member."""
        body = {"product_id": str(self.product), "practitioner_id": str(self.practitioner.sub)}
        return self.system.post(self.member, "checkout", "/v1/transactions", body)

    def pay(self, transaction: Mapping[str, Any]) -> dict[str, Any]:
        """Have the provider notify the payment, and wait for `paid`."""
        reference = transaction["payment"]["reference"]
        until(
            "the provider to notify",
            lambda: self.system.http.post(f"{self.system.endpoints['payments']}/pay/{reference}").status_code < 300,
        )
        return self.transaction_when("paid", transaction["id"])

    def transaction_when(self, status: str, transaction_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.system.get(self.member, "checkout", f"/v1/transactions/{transaction_id}")
            return found if found["status"] == status else None

        return until(f"transaction {transaction_id} {status}", look)

    def paid(self) -> dict[str, Any]:
        return self.pay(self.buy())

    def consultation_knows(self, transaction: Mapping[str, Any]) -> None:
        """Wait until consultation has taken the sale as it is now, by the token that a gateway would pass on."""
        read = self.system.call(self.member, "checkout", "GET", f"/v1/transactions/{transaction['id']}")
        token = {"Consistency-Token": read.headers["Consistency-Token"]}
        until(
            "consultation to know the sale",
            lambda: (
                self.system.call(self.member, "consultation", "GET", "/v1/sessions", headers=token).status_code == 200
            ),
        )

    def request(self, transaction: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a schedule, once consultation knows the sale: it waits for that by itself, but for 2 seconds only."""
        self.consultation_knows(transaction)
        return self.system.post(self.member, "consultation", "/v1/sessions", {"transaction_id": transaction["id"]})

    def schedule_body(self, *, days: int = 7, start: str = "09:00", end: str = "10:00") -> dict[str, Any]:
        return {
            "scheduled_date": (today() + timedelta(days=days)).isoformat(),
            "time_start": start,
            "time_end": end,
            "timezone": "Asia/Jakarta",
            "meeting_link": "https://meet.google.com/abc-defg-hij",
        }

    def schedule(self, session: Mapping[str, Any], **when: Any) -> dict[str, Any]:
        return self.system.post(
            self.practitioner, "consultation", f"/v1/sessions/{session['id']}/schedule", self.schedule_body(**when)
        )

    def session(self, session_id: str) -> dict[str, Any]:
        return self.system.get(self.member, "consultation", f"/v1/sessions/{session_id}")

    def calendar(self, who: Person, session_id: str) -> dict[str, Any] | None:
        """Return the session's entry in this person's calendar, if it is there."""
        window = {
            "start": f"{today() - timedelta(days=1)}T00:00:00Z",
            "end": f"{today() + timedelta(days=60)}T00:00:00Z",
        }
        items = self.system.get(who, "calendar", "/v1/calendar/events", params=window)["items"]
        return next((item for item in items if item["id"] == session_id), None)


def cast(system: System, *, kind: str = "counseling", tier: str = "gold") -> Cast:
    """Bring a member, a practitioner, an admin and a product of their own onto the platform."""
    mark = uuid4().hex[:8]
    admin = system.person("admin", name="Admin", email=f"admin-{mark}@example.com", phone="+6281100000000")
    member = system.person("member", name=f"Sari {mark}", email=f"sari-{mark}@example.com", phone=_phone())
    practitioner = system.person(
        "practitioner", name=f"Dr. Budi {mark}", email=f"budi-{mark}@example.com", phone=_phone()
    )
    product = uuid4()
    system.put(
        admin,
        "checkout",
        f"/v1/products/{product}",
        {
            "name": f"Sesi {mark}",
            "kind": kind,
            "tier": tier,
            "price": {"amount": 250000, "currency": "IDR"},
            "duration_minutes": 60,
            "payment_ttl_minutes": 1440,
            "request_limit_minutes": 10080,
            "auto_start": False,
            "active": True,
        },
    )
    system.put(
        admin,
        "checkout",
        f"/v1/practitioners/{practitioner.sub}",
        {
            "name": practitioner.name,
            "photo_url": "https://example.com/budi.jpg",
            "bio": "Psikolog klinis",
            "profession": "Psikolog",
            "tiers": [tier],
            "timezone": "Asia/Jakarta",
            "active": True,
            "phone": practitioner.phone,
            "email": practitioner.email,
        },
    )
    system.get(member, "checkout", "/v1/me")
    return Cast(system, admin, member, practitioner, product)


def _phone() -> str:
    return f"+62812{uuid4().int % 10**8:08d}"


def booking(*words: str, state: Path, timeout: float = 400.0) -> subprocess.CompletedProcess[str]:
    """Run the `booking` command on one state folder."""
    return subprocess.run(
        [str(ROOT / "booking"), *words, "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def local_stack(state: Path, *options: str) -> Iterator[None]:
    """Have a stack of one's own for the length of a block; always brought down, and its logs named when it fails."""
    up = booking("up", "--detach", *options, state=state)
    try:
        assert up.returncode == 0, f"booking up: {up.stdout}\n{up.stderr}"
        yield
    finally:
        booking("down", state=state)
