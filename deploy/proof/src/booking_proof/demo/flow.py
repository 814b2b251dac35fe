"""The flow of docs/product.md, step by step."""

import secrets
import uuid
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from booking_contracts.topics import Topic
from booking_local.failure import Failure
from booking_local.stack.control import brokers
from booking_proof.demo.output import Output
from booking_proof.demo.people import PRODUCT, PRODUCT_ID, ZONE, Cast, Person, profile
from booking_proof.demo.system import EVER_DATED, STORES, Answer, System, count_ids, opened

_CONTACTS, _PRACTITIONERS = "booking.directory.contacts.v1", "booking.directory.practitioners.v1"
_SCHEDULE_ROW = "SELECT * FROM user_schedule WHERE session_id = %s"


async def play(endpoints: dict[str, Any], cast: Cast) -> None:
    """The flow, and the counts at its end. Raises Failure when something doesn't arrive."""
    output = Output(cast.everybody)
    async with opened(endpoints) as system:
        await Flow(system, cast, output).all()
    output.console.print("\n[bold green]Everything arrived.[/] The stack stays up: `booking status`, `booking down`.")
    output.console.print(f"Open it in a browser and sign in as one of these people: [bold]{endpoints['gateway']}[/]")


class Flow:
    """One run. Each method is a step: it acts through HTTP, then follows what it caused to its end."""

    def __init__(self, system: System, cast: Cast, output: Output) -> None:
        self.system = system
        self.cast = cast
        self.output = output
        self.budi = cast.practitioners[0]
        self.day = _a_free_day()
        self._versions: dict[str, int] = {}
        self._last_event = ""
        self._written_to: list[Person] = []
        self._later: list[tuple[Person, str]] = []

    async def all(self) -> None:
        await self.catalogue()
        await self.sign_in()
        await self.choose()
        bought = await self.buy(self.cast.sari)
        await self.pay(self.cast.sari, bought)
        session = await self.request(self.cast.sari, bought)
        await self.request_twice(bought, session)
        await self.schedule(self.cast.sari, session, "09:00", "10:00")
        other_sale, other = await self.second_member()
        await self.overlap(other)
        await self.schedule(self.cast.andi, other, "10:00", "11:00")
        await self.reschedule(session)
        await self.start(session)
        await self.result(session)
        await self.cancel(other)
        await self.fail(other_sale)
        await self.history(session)
        await self.later_whatsapps()
        await self.counts()

    async def catalogue(self) -> None:
        """An admin keeps the catalogue; profiles are state rows on a compacted topic."""
        self.output.step("An admin sets up the catalogue: one product, three practitioners")
        admin = self.cast.admin
        made = await self._call(
            admin, "checkout", "PUT", f"/v1/products/{PRODUCT_ID}", PRODUCT, note=f"{PRODUCT['name']}, Rp250.000"
        )
        for number, person in enumerate(self.cast.practitioners):
            body = profile(person, completeness=3 - number)
            made = await self._call(admin, "checkout", "PUT", f"/v1/practitioners/{person.sub}", body)
            if made.status == 201:
                self.output.records([await self.system.state_record(_PRACTITIONERS, str(person.sub))])

    async def sign_in(self) -> None:
        """A person's first call writes their contact data, apart from all events."""
        self.output.step("Two members sign in; their contact data goes to those who write to them, never into events")
        for person in (self.cast.sari, self.cast.andi):
            await self._call(person, "checkout", "GET", "/v1/me", note="{name}, {email}")
            self.output.records([await self.system.state_record(_CONTACTS, str(person.sub))])

    async def choose(self) -> None:
        """The list explains its own order (L2)."""
        self.output.step("Sari looks for a practitioner: the list explains its order")
        path = f"/v1/practitioners?product_id={PRODUCT_ID}"
        listed = await self._call(self.cast.sari, "checkout", "GET", path)
        figures = ("rank", "name", "productivity", "activity", "completeness")
        rows = [[str(item[name]) for name in figures] for item in listed.body["items"]]
        self.output.table("", list(figures), rows)

    async def buy(self, member: Person) -> dict[str, Any]:
        """The pair of product and practitioner is locked in a Transaction."""
        self.output.step(f"{member.name} buys a session with {self.budi.name}")
        return await self._buy(member)

    async def pay(self, member: Person, sale: dict[str, Any]) -> None:
        """The provider's signed notification pays, and only that."""
        self.output.step(f"{member.name} pays at the provider, which notifies checkout with its signature")
        await self._pay(member, sale)
        await self._messages(member, "email", "whatsapp")

    async def request(self, member: Person, sale: dict[str, Any]) -> dict[str, Any]:
        """Persist, then tell (R3)."""
        self.output.step(f"{member.name} asks for a schedule; {self.budi.name} is told")
        session = await self._request(member, sale)
        self.output.line("", f"to negotiate by hand: {session['whatsapp_url'][:70]}…")
        await self._messages(self.budi, "email", "whatsapp")
        return session

    async def request_twice(self, sale: dict[str, Any], session: dict[str, Any]) -> None:
        self.output.step("She presses the button again: one session per sale, whatever happens")
        body = {"transaction_id": sale["id"]}
        refused = await self.system.call(self.cast.sari, "consultation", "POST", "/v1/sessions", body, expect=409)
        if refused.body.get("session_id") != session["id"]:
            raise Failure(f"The refusal should name session {session['id']}: {refused.body}")
        self.output.call(refused, "consultation", refused.body["code"])

    async def schedule(self, member: Person, session: dict[str, Any], start: str, end: str) -> None:
        """The practitioner alone sets date, time and link; the calendar shows it to both."""
        self.output.step(f"{self.budi.name} sets the time for {member.name}: {start} to {end}")
        path = f"/v1/sessions/{session['id']}/schedule"
        await self._call(self.budi, "consultation", "POST", path, self._time(start, end))
        await self._follow("consultation", session["id"], "SessionScheduled")
        await self._messages(member, "email", "whatsapp")
        await self._row(session["id"], "scheduled", start)
        for person in (member, self.budi):
            await self._in_calendar_of(person, session["id"])

    async def second_member(self) -> tuple[dict[str, Any], dict[str, Any]]:
        andi = self.cast.andi
        self.output.step(f"{andi.name} buys, pays and asks {self.budi.name} too")
        sale = await self._buy(andi)
        await self._pay(andi, sale)
        return sale, await self._request(andi, sale)

    async def overlap(self, session: dict[str, Any]) -> None:
        """S4: the database itself refuses."""
        self.output.step("The same hour for both? Nobody is in two places: the database itself refuses")
        path = f"/v1/sessions/{session['id']}/schedule"
        wish = self._time("09:30", "10:30")
        await self._call(self.budi, "consultation", "POST", path, wish, expect=409, note="{code} ({party})")

    async def reschedule(self, session: dict[str, Any]) -> None:
        """S7: a change names the version it saw."""
        self.output.step("Sari's session moves to 13:00; a change that saw an older version is refused")
        path = f"/v1/sessions/{session['id']}/schedule"
        seen = await self.system.call(self.budi, "consultation", "GET", f"/v1/sessions/{session['id']}")
        wish, tag = self._time("13:00", "14:00"), seen.headers["ETag"]
        await self._call(
            self.budi, "consultation", "PUT", path, wish, headers={"If-Match": tag}, note=f"If-Match: {tag}"
        )
        await self._follow("consultation", session["id"], "SessionRescheduled")
        await self._messages(self.cast.sari, "email", "whatsapp")
        await self._row(session["id"], "scheduled", "13:00")
        stale = await self.system.call(
            self.budi, "consultation", "PUT", path, self._time("15:00", "16:00"), headers={"If-Match": tag}, expect=412
        )
        self.output.call(stale, "consultation", f"If-Match: {tag}  {stale.body['code']}")

    async def start(self, session: dict[str, Any]) -> None:
        self.output.step("They meet by the link; the session is flagged as under way")
        await self._command(self.budi, session, "start", None, "SessionStarted")
        await self._row(session["id"], "on_progress", "13:00")

    async def result(self, session: dict[str, Any]) -> None:
        """The result completes the session; link and notes are kept apart from the event."""
        self.output.step(f"{self.budi.name} uploads the result; that completes the session")
        body = {
            "result_link": "https://drive.google.com/file/d/1a2B3c4D5e6F/view",
            "result_notes": "Terima kasih, Sari.",
        }
        await self._command(self.budi, session, "result", body, "ResultUploaded")
        await self._messages(self.cast.sari, "email", "whatsapp")
        await self._row(session["id"], "completed", "13:00")

    async def cancel(self, session: dict[str, Any]) -> None:
        """A canceled session stays in the calendar, marked so."""
        self.output.step(f"{self.cast.andi.name} cancels; the invitation is withdrawn")
        body = {"reason_code": "canceled_by_member", "reason": "Ada keperluan keluarga."}
        await self._command(self.cast.andi, session, "cancel", body, "SessionCanceled")
        await self._messages(self.cast.andi, "email")
        await self._messages(self.budi, "email")
        await self._row(session["id"], "canceled", "10:00")

    async def fail(self, sale: dict[str, Any]) -> None:
        """After a cancellation the sale still buys one session; this one fails for a technical reason."""
        self.output.step("He may ask again; this time an admin fails the session, which never had a date")
        session = await self._request(self.cast.andi, sale)
        body = {"reason_code": "technical", "reason": "Gangguan sistem pertemuan."}
        await self._command(self.cast.admin, session, "fail", body, "SessionFailed")
        await self._messages(self.cast.andi, "email")
        await self._messages(self.budi, "email")

    async def history(self, session: dict[str, Any]) -> None:
        self.output.step("Who did what, when: the history of Sari's session")
        told = await self._call(self.cast.sari, "consultation", "GET", f"/v1/sessions/{session['id']}/history")
        rows = [
            [str(item["version"]), item["type"], self.output.readable(item["actor"]), str(item["occurred_at"])]
            for item in told.body["items"]
        ]
        self.output.table("", ["#", "event", "actor", "when"], rows)

    async def later_whatsapps(self) -> None:
        """Meta lets a business write to one person about once in six seconds; the notifier keeps to that."""
        self.output.step("The WhatsApp messages that were paced: one in six seconds to the same person")
        for person, event in self._later:
            self.output.whatsapp(await self.system.message(person, "whatsapp", event, self.cast.admin))

    async def counts(self) -> None:
        """Stored events and ids in Kafka, calendar rows and sessions that ever had a date: they must come to agree."""
        self.output.step("Nothing lost, nothing twice: the counts")
        rows: list[list[str]] = []
        for database, topics in STORES.items():
            stored = (await self.system.query(database, "SELECT count(*) AS n FROM events"))[0]["n"]

            async def in_kafka(topics: tuple[Topic, ...] = topics, stored: int = stored) -> tuple[int, int] | None:
                distinct, records = await count_ids(brokers(self.system.endpoints), topics)
                return (distinct, records) if distinct >= stored else None

            distinct, records = await self.system.until(f"all {stored} events of {database} in Kafka", in_kafka)
            extra = f"{records - distinct} extra copies" if records > distinct else "no extra copy"
            rows.append([f"events stored by {database}", str(stored), "distinct ids in Kafka", f"{distinct} ({extra})"])
        dated = (await self.system.query("consultation", EVER_DATED))[0]["n"]

        async def in_calendar() -> int | None:
            found = (await self.system.query("calendar", "SELECT count(*) AS n FROM user_schedule"))[0]["n"]
            return found if found == dated else None

        shown = await self.system.until(f"{dated} rows in user_schedule", in_calendar)
        rows.append(["sessions that ever had a date", str(dated), "rows of user_schedule", str(shown)])
        self.output.table("", ["here", "count", "there", "the same"], rows)

    async def _call(self, who: Person, service: str, *words: Any, note: str = "", **more: Any) -> Answer:
        """One call, and what is shown of it; `note` may name fields of the answer."""
        answer = await self.system.call(who, service, *words, **more)
        self.output.call(answer, service, note.format_map(defaultdict(str, answer.body or {})))
        return answer

    async def _buy(self, member: Person) -> dict[str, Any]:
        body = {"product_id": str(PRODUCT_ID), "practitioner_id": str(self.budi.sub)}
        key = {"Idempotency-Key": str(uuid.uuid4())}
        made = await self._call(member, "checkout", "POST", "/v1/transactions", body, headers=key, note="{status}")
        await self._follow("checkout", made.body["id"], "TransactionCreated", "PractitionerAssigned")
        return made.body

    async def _pay(self, member: Person, sale: dict[str, Any]) -> None:
        reference = sale["payment"]["reference"]

        async def provider_knows() -> Answer | None:
            answer = await self.system.call(None, "payments", "POST", f"/pay/{reference}", expect=(200, 202, 404, 503))
            return answer if answer.status == 200 else None

        self.output.call(await self.system.until("the provider's notification", provider_knows), "payments")
        await self._follow("checkout", sale["id"], "TransactionPaid")
        paid = await self._call(member, "checkout", "GET", f"/v1/transactions/{sale['id']}", note="{status}")
        sale["token"] = paid.headers.get("Consistency-Token", "")

    async def _request(self, member: Person, sale: dict[str, Any]) -> dict[str, Any]:
        token = {"Consistency-Token": sale["token"]} if sale.get("token") else {}
        body = {"transaction_id": sale["id"]}
        made = await self._call(
            member,
            "consultation",
            "POST",
            "/v1/sessions?wait=10",
            body,
            headers=token,
            note="{status}",
        )
        await self._follow("consultation", made.body["id"], "ScheduleRequested")
        return made.body

    async def _command(
        self, who: Person, session: dict[str, Any], command: str, body: dict[str, Any] | None, event: str
    ) -> None:
        path = f"/v1/sessions/{session['id']}/{command}"
        await self._call(who, "consultation", "POST", path, body, note="{status}")
        await self._follow("consultation", session["id"], event)

    async def _follow(self, database: str, stream: str, *types: str) -> None:
        rows = await self.system.stored(database, stream, self._versions.get(stream, 0), types)
        self._versions[stream], self._last_event = rows[-1]["version"], rows[-1]["id"]
        self.output.events(database, rows)
        self.output.records(await self.system.published([row["id"] for row in rows], ", ".join(types)))

    async def _messages(self, person: Person, *channels: str) -> None:
        """The messages about the step's last event, however late they are."""
        if "email" in channels:
            self.output.mail(await self.system.message(person, "email", self._last_event, self.cast.admin))
        if "whatsapp" in channels and person in self._written_to:
            self._later.append((person, self._last_event))
        elif "whatsapp" in channels:
            self._written_to.append(person)
            self.output.whatsapp(await self.system.message(person, "whatsapp", self._last_event, self.cast.admin))

    async def _row(self, session_id: str, status: str, start: str) -> None:
        async def look() -> dict[str, Any] | None:
            rows = await self.system.query("calendar", _SCHEDULE_ROW, session_id)
            fits = rows and rows[0]["status"] == status and str(rows[0]["time_start"])[:5] == start
            return rows[0] if fits else None

        self.output.calendar(
            await self.system.until(f"the {status} row of session {session_id} in user_schedule", look)
        )

    async def _in_calendar_of(self, person: Person, session_id: str) -> None:
        window = f"start={self.day - timedelta(days=2)}T00:00:00Z&end={self.day + timedelta(days=2)}T00:00:00Z"
        path = f"/v1/calendar/events?{window}"
        shown = await self.system.call(person, "calendar", "GET", path)
        if session_id not in {item["id"] for item in shown.body["items"]}:
            raise Failure(f"{person.name}'s calendar doesn't show session {session_id}.")
        self.output.call(shown, "calendar", f"in the calendar of {person.name}")

    def _time(self, start: str, end: str) -> dict[str, Any]:
        return {
            "scheduled_date": self.day.isoformat(),
            "time_start": start,
            "time_end": end,
            "timezone": ZONE,
            "meeting_link": "https://meet.google.com/abc-defg-hij",
        }


def _a_free_day() -> date:
    """Some day of the coming year: an earlier run that was cut short may have left a session on any fixed one."""
    return (datetime.now(UTC) + timedelta(days=2 + secrets.randbelow(300))).date()
