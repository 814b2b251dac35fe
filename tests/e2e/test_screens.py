"""Three screens as a gateway puts them together: one call of each service, however many rows (docs/api.md)."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tests.e2e.system import Cast, Person, System, today, until

pytestmark = [pytest.mark.servers, pytest.mark.e2e]


@dataclass
class Gateway:
    """The reference gateway: each screen reads what it shows, and its calls are counted by service."""

    system: System
    who: Person
    calls: Counter[str] = field(default_factory=Counter[str])

    def orders(self) -> list[dict[str, Any]]:
        """An order list, a member's or an admin's: what was bought of whom, and the session on it with its buttons."""
        sales = self._get("checkout", "/v1/transactions", {"limit": 100})
        sessions = self._sessions([sale["session"]["id"] for sale in sales if sale["session"]])
        return [
            {
                "product": sale["product"]["name"],
                "practitioner": sale["practitioner_name"],
                "member": sale["member_name"],
                "status": sale["status"],
                "buttons": sale["allowed_commands"],
                "session": self._shown(sessions.get(sale["session"]["id"])) if sale["session"] else None,
            }
            for sale in sales
        ]

    def month(self) -> list[dict[str, Any]]:
        """A calendar month: each event with who comes, what was bought, and what may be done to it."""
        window = {"start": today().isoformat(), "end": (today() + timedelta(days=31)).isoformat()}
        events = self._get("calendar", "/v1/calendar/events", window)
        sessions = self._sessions([event["id"] for event in events])
        return [
            {"start": event["start"], "member": event["member_name"], **self._shown(sessions[event["id"]])}
            for event in events
        ]

    def _sessions(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        if not ids:
            return {}
        return {one["id"]: one for one in self._get("consultation", "/v1/sessions", {"ids": ids})}

    def _shown(self, session: dict[str, Any] | None) -> dict[str, Any]:
        assert session is not None
        names = ("status", "starts_at", "product_name", "duration_minutes", "whatsapp_url", "allowed_commands")
        return {name: session[name] for name in names}

    def _get(self, service: str, path: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        self.calls[service] += 1
        page = self.system.get(self.who, service, path, params=params)
        assert page["next_cursor"] is None or self.who.role == "admin", "a screen is one page"
        return page["items"]


def test_each_screen__takes_one_call_of_each_service_however_many_rows(story: Cast) -> None:
    """Before: 5, 19 and 10 calls, and more with each row."""
    counted: list[list[dict[str, int]]] = []
    for rows in (1, 3):
        while len(_orders(story)) < rows:
            session = story.request(story.paid())
            story.schedule(session, days=3 + len(_orders(story)))
        until("checkout and the calendar to follow", lambda rows=rows: _followed(story, rows))
        counted.append([_member(story), _practitioner(story, rows), _admin(story)])
    assert counted == [[{"checkout": 1, "consultation": 1}, {"calendar": 1, "consultation": 1}, counted[0][0]]] * 2


def _orders(story: Cast) -> list[dict[str, Any]]:
    return Gateway(story.system, story.member).orders()


def _followed(story: Cast, rows: int) -> bool:
    sessions = [order["session"] for order in _orders(story)]
    named = [event["member"] for event in Gateway(story.system, story.practitioner).month()]
    return (
        len([one for one in sessions if one and one["status"] == "scheduled"]) == rows == named.count(story.member.name)
    )


def _member(story: Cast) -> dict[str, int]:
    gateway = Gateway(story.system, story.member)
    for order in gateway.orders():
        assert (order["practitioner"], order["member"]) == (story.practitioner.name, story.member.name)
        assert order["session"]["product_name"] == order["product"]
        assert order["session"]["allowed_commands"] == ["cancel"]
    return dict(gateway.calls)


def _practitioner(story: Cast, rows: int) -> dict[str, int]:
    gateway = Gateway(story.system, story.practitioner)
    month = gateway.month()
    assert len(month) == rows
    for event in month:
        assert (event["member"], event["start"], event["duration_minutes"]) == (
            story.member.name,
            event["starts_at"],
            60,
        )
        assert event["allowed_commands"] == ["reschedule", "start", "upload_result", "cancel"]
    return dict(gateway.calls)


def _admin(story: Cast) -> dict[str, int]:
    gateway = Gateway(story.system, story.admin)
    mine = [order for order in gateway.orders() if order["member"] == story.member.name]
    assert mine
    assert {order["session"]["status"] for order in mine} == {"scheduled"}
    assert all(order["buttons"] == ["refund", "reassign"] for order in mine)
    return dict(gateway.calls)
