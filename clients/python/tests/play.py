"""The product once, from the purchase to the result, against a running system; tests/e2e/test_clients.py starts it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx2

from booking_client import Booking, NotModified, Servers, problems
from booking_client.models import SessionSchedule


@dataclass(frozen=True)
class Given:
    """Whose tokens, where, and what is bought."""

    servers: Servers
    member: str
    practitioner: str
    product_id: str
    practitioner_id: str
    schedules: tuple[SessionSchedule, SessionSchedule]


async def play(given: Given) -> Mapping[str, Any]:
    """What was seen on the way."""
    async with Booking(given.servers) as booking, httpx2.AsyncClient() as browser:
        member = booking.caller(given.member)

        async def fresh() -> str:
            return given.practitioner

        practitioner = booking.caller(fresh)
        first, second = given.schedules
        refused: list[Any] = []

        sale = await member.create_transaction(  # its first answer is cut off
            {"product_id": given.product_id, "practitioner_id": given.practitioner_id}
        )
        id_ = sale.body["id"]
        bought = [one["id"] async for one in member.list_transactions()]

        try:
            await member.request_session({"transaction_id": id_}, wait=0)
        except problems.TransactionNotPaid as too_early:
            refused.append(too_early.code)

        page = sale.body["payment"]["redirect_url"] or ""
        paying = await browser.post(page, data={"choice": "settlement"}, follow_redirects=False)
        assert paying.status_code < 400
        paid = await member.get_transaction(id_, wait_for="paid")

        session = (await member.request_session({"transaction_id": id_}, wait=10)).body
        waiting = practitioner.list_sessions(status=["pending_negotiation"], limit=1)
        asked = [one["id"] async for one in waiting]

        stored = await practitioner.schedule_session(session["id"], first)
        try:
            await practitioner.schedule_session(session["id"], first)
        except problems.WrongStatus as again:
            if "allowed_commands" in again.problem:  # a session's
                refused.append([again.problem["current_status"], again.problem["allowed_commands"]])
        moved = (await practitioner.reschedule_session(session["id"], second, if_match=stored.etag)).body
        try:
            await practitioner.reschedule_session(session["id"], first, if_match=stored.etag)
        except problems.StaleVersion as stale:
            refused.append(["stale_version", stale.problem.get("current_version")])

        day = date.fromisoformat(first["scheduled_date"])
        calendar = practitioner.list_calendar_events(start=str(day), end=str(day + timedelta(days=2)), wait=10)
        events = [(one["id"], one["start"]) async for one in calendar]

        await practitioner.start_session(session["id"])
        link = "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view"
        await practitioner.upload_session_result(session["id"], {"result_link": link})
        read = await member.get_session(session["id"])
        unchanged = await member.get_session(session["id"], if_none_match=read.etag)
        history = member.list_session_history(session["id"], limit=2)

        return {
            "bought": [bought == [id_], sale.headers.get("Idempotency-Replayed")],
            "paid": paid.body["status"] if not isinstance(paid, NotModified) else None,
            "asked": session["id"] in asked,
            "calendar": (session["id"], moved["starts_at"]) in events,
            "read": [read.body["status"], read.body["result_link"]],
            "unchanged": isinstance(unchanged, NotModified),
            "history": [[one["type"] for one in page.body["items"]] async for page in history.pages()],
            "refused": refused,
        }
