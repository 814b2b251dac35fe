"""What exists in each service before the tests, made through its public interface where that can make it."""

from uuid import UUID

import httpx2
from tests.api.service_under_test import PEOPLE, ServiceUnderTest

PRODUCT = UUID("01990000-0000-7000-8000-0000000000a1")
ASSESSMENT = UUID("01990000-0000-7000-8000-0000000000b1")


def seed(service: ServiceUnderTest) -> None:
    """Fills `service.known`."""
    with httpx2.Client(base_url=service.url, timeout=30) as client:
        _SEEDS[service.name](service, client)


def _checkout(service: ServiceUnderTest, client: httpx2.Client) -> None:
    admin = service.headers("admin")
    product = {
        "name": "Konseling",
        "kind": "counseling",
        "tier": "basic",
        "price": {"amount": 250000, "currency": "IDR"},
        "duration_minutes": 60,
    }
    _done(client.put(f"/v1/products/{PRODUCT}", json=product, headers=admin))
    practitioner = {"name": "Budi", "phone": "+6281234567890", "email": "budi@example.com", "tiers": ["basic"]}
    _done(client.put(f"/v1/practitioners/{PEOPLE['practitioner']}", json=practitioner, headers=admin))
    wish = {"product_id": str(PRODUCT), "practitioner_id": str(PEOPLE["practitioner"])}
    made = [_done(client.post("/v1/transactions", json=wish, headers=service.headers("member"))) for _ in range(3)]
    service.known |= {
        "product_id": [str(PRODUCT)],
        "practitioner_id": [str(PEOPLE["practitioner"])],
        "transaction_id": [one["id"] for one in made],
        "provider": ["manual", "midtrans"],
    }


def _consultation(service: ServiceUnderTest, client: httpx2.Client) -> None:
    done = {"user_id": str(PEOPLE["member"]), "completed_at": "2026-01-02T03:04:05Z"}
    _done(client.put(f"/v1/assessments/{ASSESSMENT}", json=done, headers=service.headers("service")))
    service.known["assessment_id"] = [str(ASSESSMENT)]


def _notifier(service: ServiceUnderTest, client: httpx2.Client) -> None:
    _done(client.get("/v1/preferences", headers=service.headers("member")))


def _calendar(service: ServiceUnderTest, client: httpx2.Client) -> None:
    feed = _done(client.post("/v1/calendar/feeds", headers=service.headers("member")))
    token = feed["url"].rpartition("/")[2].removesuffix(".ics")
    service.known |= {"feed_id": [feed["id"]], "token": [token], "name": ["calendar", "user_schedule"]}


_SEEDS = {"checkout": _checkout, "consultation": _consultation, "notifier": _notifier, "calendar": _calendar}


def _done(answer: httpx2.Response) -> dict:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()
