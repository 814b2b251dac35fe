"""What becomes of each purchase: the commands that people, providers and timers gave, each with the clock of its time.

A story is simulated to its end, also beyond today: what lies after `until` has not happened yet, and is not told
(`streams`). Nothing here decides anything: the services' own deciders do, and refuse an impossible story.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, count, islice
from random import Random
from typing import Any, Literal
from uuid import UUID

from booking_contracts.money import Money
from booking_proof.seed.people import HOUSE, TIERS, People, Practitioner, Product, Somebody, catalogue
from booking_proof.seed.times import Agenda, NoTimeError, Slot, after, awake, bought_at
from booking_store import FreeText
from checkout.transactions import commands as sale
from consultation.entitlements.domain import Assessment, Entitlement
from consultation.sessions import commands as session
from consultation.sessions.times import LocalTimes

PROVIDER = "midtrans"
ADMIN = session.Actor("admin", HOUSE)
MOST_A_WEEK = 40
"""Purchases that a practitioner takes in a week; who is asked for more sends people to others."""
LONG_AFTER = timedelta(days=75)
"""So long before their erasure a member buys the last time: all has come to its end by then."""
EARLY = timedelta(days=45)
"""So old is a purchase that has surely come to its end."""
Scenario = Literal[
    "plain", "canceled_unpaid", "after_cancel", "abandoned", "after_expiry", "declined", "wrong_amount", "dismissed",
    "wrong_currency", "second_payment", "partly_returned", "refunded", "refund_refused", "refunded_open",
    "charged_back", "never_requested", "timeout", "member_cancels_request", "practitioner_cancels_request",
    "reassigned", "reassigned_scheduled", "reassigned_late", "rescheduled", "member_cancels", "practitioner_cancels",
    "asks_again", "no_show_member", "no_show_practitioner", "technical", "late_start", "unstarted", "replaced",
    "from_assessment",
]  # fmt: skip
# How often, of those to whom it can happen.
CHANCES: Mapping[Scenario, float] = {
    "canceled_unpaid": 0.03, "after_cancel": 0.04, "abandoned": 0.09, "after_expiry": 0.03, "declined": 0.07,
    "wrong_amount": 0.006, "dismissed": 0.25, "wrong_currency": 0.002, "second_payment": 0.006,
    "partly_returned": 0.002, "refunded": 0.35, "refund_refused": 0.07, "refunded_open": 0.006, "charged_back": 0.003,
    "never_requested": 0.05, "timeout": 0.025, "member_cancels_request": 0.02, "practitioner_cancels_request": 0.01,
    "reassigned": 0.012, "reassigned_scheduled": 0.006, "reassigned_late": 0.002, "rescheduled": 0.14,
    "member_cancels": 0.045, "practitioner_cancels": 0.02, "asks_again": 0.55, "no_show_member": 0.03,
    "no_show_practitioner": 0.007, "technical": 0.006, "late_start": 0.08, "unstarted": 0.12, "replaced": 0.06,
    "from_assessment": 0.35,
}  # fmt: skip
# What is rare is told once at least, of purchases that are old enough; and what must have happened before it.
ONCE: Mapping[Scenario, frozenset[Scenario]] = {
    "after_expiry": frozenset({"abandoned"}),
    "after_cancel": frozenset({"canceled_unpaid"}),
    "declined": frozenset(),
    "refunded": frozenset({"never_requested"}),
    "refund_refused": frozenset({"never_requested", "refunded"}),
    "second_payment": frozenset(),
    "wrong_amount": frozenset({"dismissed"}),
    "wrong_currency": frozenset(),
    "partly_returned": frozenset(),
    "refunded_open": frozenset(),
    "charged_back": frozenset(),
    "timeout": frozenset({"asks_again"}),
    "member_cancels_request": frozenset(),
    "practitioner_cancels_request": frozenset({"asks_again"}),
    "reassigned": frozenset(),
    "reassigned_scheduled": frozenset(),
    "reassigned_late": frozenset(),
    "rescheduled": frozenset(),
    "member_cancels": frozenset(),
    "practitioner_cancels": frozenset({"asks_again"}),
    "no_show_member": frozenset(),
    "no_show_practitioner": frozenset({"refunded"}),
    "technical": frozenset({"asks_again"}),
    "late_start": frozenset(),
    "unstarted": frozenset(),
    "replaced": frozenset({"from_assessment"}),
}
# Of a platform on which all goes on now.
PRESENT = ("unpaid", "paid", "pending", "pending", "scheduled", "scheduled", "scheduled", "on_progress")
_PATIENCE = {"silver": 1.0, "gold": 0.8, "platinum": 0.55}
"""How often things go wrong, and how long they take, by tier: who pays more is served better."""
_REASONS = {
    "canceled_by_member": ("Berhalangan hadir", "Ada urusan keluarga", "Jadwal berubah"),
    "canceled_by_practitioner": ("Ada keadaan darurat", "Sakit", "Jadwal bentrok"),
    "admin": ("Atas permintaan klien", "Sesi tidak dapat diselenggarakan", "Sudah diperiksa dengan penyedia"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One command, when and by whom. `stream`: 0 is the sale, n its nth session. `then`: what services made of it."""

    at: datetime
    stream: int
    command: sale.Command | session.Command
    actor: str
    words: FreeText | None = None
    then: tuple[Step, ...] = ()


@dataclass(slots=True)
class Story:
    """A purchase and its sessions: their ids, and what was done in the order of time."""

    number: int
    member: Somebody
    product: Product
    sale: UUID
    sessions: list[UUID] = field(default_factory=list[UUID])
    steps: list[Step] = field(default_factory=list[Step])


@dataclass(frozen=True, slots=True)
class Completed:
    """An assessment that a member finished (R1); most lead to nothing."""

    id: UUID
    user_id: UUID
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class Chapter:
    """So many stories, and the assessments that were finished, in the order of time."""

    number: int
    stories: list[Story]
    assessments: list[Completed]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is told. `months` 0: all goes on now. `until`: the end of what has happened."""

    practitioners: int
    members: int
    purchases: int
    months: int
    seed: int
    until: datetime

    @property
    def begins(self) -> datetime:
        """When the platform began."""
        return self.until - timedelta(days=30 * self.months or 3)


def uuid7_at(at: datetime, random: Random) -> UUID:
    """A time-ordered id of that instant (RFC 9562 §5.7)."""
    milliseconds, bits = int(at.timestamp() * 1000), random.getrandbits(74)
    return UUID(int=milliseconds << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1)


def uuid7_text(at: datetime, random: Random) -> str:
    """As `uuid7_at`, in text: what is many needs no object."""
    bits = random.getrandbits(74)
    number = int(at.timestamp() * 1000) << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def uuid4_of(random: Random) -> UUID:
    """A random id, of this random."""
    return UUID(int=random.getrandbits(128), version=4)


class Platform:
    """Who and what there is, and the stories of its purchases, in the order in which they began.

    The same size with the same seed and `until` gives the same, to the byte.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        people = People(size.seed, size.begins, size.until)
        self.practitioners = [people.practitioner(number) for number in range(size.practitioners)]
        self.members = sorted((people.member(n) for n in range(size.members)), key=lambda one: (one.joined_at, one.id))
        self.products = catalogue(size.seed, size.begins, size.until)
        self.agenda = Agenda()
        self._assessments: list[Completed] = []
        self._joined = [one.joined_at for one in self.members]
        self._staying = [one for one in self.members if one.erased_at is None]
        self._lately = size.until - timedelta(days=20)
        self._served = {(tier, then): self._who(tier, then=then) for tier in TIERS for then in (True, False)}
        self._sold = [one for one in self.products if self._served[one.tier, False][0]]
        self._shares = list(accumulate(one.share for one in self._sold))
        self._weeks: Counter[tuple[UUID, int]] = Counter()
        weeks = max(1, size.months * 30 / 7)
        if size.months and size.purchases > 0.75 * MOST_A_WEEK * weeks * size.practitioners:
            raise NoTimeError(
                f"{size.purchases:,} purchases in {size.months} months are too many for {size.practitioners:,} "
                f"practitioners: {round(size.purchases / (0.5 * MOST_A_WEEK * weeks)) + 1:,} would have the time."
            )

    def stories(self) -> Iterator[Story]:
        """Each purchase; ask once."""
        size = self.size
        random = Random(f"purchases {size.seed}")  # noqa: S311 - a story, no key
        if not size.months:
            for number, at in enumerate(bought_at(size.purchases, size.begins, size.until, random)):
                at = size.until - timedelta(days=2) - (size.until - at) / 3  # noqa: PLW2901 - all have room for a day
                yield _Life(self, number, at).present(PRESENT[number % len(PRESENT)])
            return
        # Of a small platform a tenth is of the last days, so that something goes on.
        lately = size.purchases // 10 if size.purchases < 2_000 else 0
        times = bought_at(size.purchases - lately, size.begins, size.until, random)
        times = sorted(times + bought_at(lately, size.until - timedelta(days=6), size.until, random))
        old = [number for number, at in enumerate(times) if at < size.until - EARLY]
        told: dict[int, Scenario] = dict(zip(random.sample(old, min(len(old), len(ONCE))), ONCE, strict=False))
        for number, at in enumerate(times):
            yield _Life(self, number, at, told.get(number)).story()

    def chunks(self, size: int) -> Iterator[Chapter]:
        """The stories, so many at a time, each with the assessments that some began with, and as many that led to
        nothing; ask once."""
        stories = self.stories()
        for number in count():
            self._assessments = []
            found = list(islice(stories, size))
            if not found:
                return
            random = Random(f"assessments {self.size.seed} {number}")  # noqa: S311 - a story, no key
            for at in bought_at(len(self._assessments), self.size.begins, self.size.until, random):
                self._assessments.append(Completed(uuid4_of(random), self.member_at(at, random).id, at))
            completed = [one for one in self._assessments if one.completed_at <= self.size.until]
            yield Chapter(number, found, sorted(completed, key=lambda one: (one.completed_at, one.id)))

    def assessed(self, one: Completed) -> None:
        """A purchase that goes on is of this assessment."""
        self._assessments.append(one)

    def member_at(self, at: datetime, random: Random) -> Somebody:
        """Somebody who had joined by then, and has long to go until they leave."""
        joined = bisect_right(self._joined, at)
        for _ in range(20):
            one = self.members[random.randrange(joined)] if joined else None
            if one and (one.erased_at is None or at < one.erased_at - LONG_AFTER):
                return one
        return self._staying[0]

    def product_at(self, random: Random) -> Product:
        """Something that is sold, by how much of it is."""
        return random.choices(self._sold, cum_weights=self._shares)[0]

    def _who(self, tier: str, *, then: bool) -> tuple[list[Practitioner], list[float]]:
        found = [one for one in self.practitioners if tier in one.tiers and (one.active or then)]
        return found, list(accumulate(one.demand for one in found))

    def practitioner_at(
        self, tier: str, at: datetime, random: Random, *, but: Practitioner | None = None
    ) -> Practitioner:
        """Somebody who serves the tier and has room in that week: a few are much in demand."""
        serving, demand = self._serving(tier, at)
        week = at.toordinal() // 7
        for number in count():
            one = random.choices(serving, cum_weights=demand)[0]
            if one is not but and (self._weeks[one.person.id, week] < MOST_A_WEEK or number > 12):
                self._weeks[one.person.id, week] += 1
                return one
        raise AssertionError("unreachable")

    def others(self, tier: str, at: datetime) -> int:
        """How many serve a tier."""
        return len(self._serving(tier, at)[0])

    def _serving(self, tier: str, at: datetime) -> tuple[list[Practitioner], list[float]]:
        """P1, with the sum of the demand for each and those before; who takes no clients any more took them until
        lately."""
        return self._served[tier, at < self._lately]


class _Life:
    """One purchase, step by step."""

    def __init__(self, platform: Platform, number: int, at: datetime, only: Scenario | None = None) -> None:
        self._platform, self._random = platform, Random(f"purchase {platform.size.seed} {number}")  # noqa: S311
        self._only, self._needs = only, ONCE.get(only, frozenset()) if only else frozenset[Scenario]()
        self._product = platform.product_at(self._random)
        self._practitioner = platform.practitioner_at(self._product.tier, at, self._random)
        self._member = platform.member_at(at, self._random)
        self._price = self._product.price_at(at)
        self._patience = _PATIENCE[self._product.tier]
        self._story = Story(number, self._member, self._product, uuid7_at(at, self._random))
        self._bought_at, self._expires_at = at, at + timedelta(minutes=self._product.payment_ttl_minutes)
        self._payment = ""
        self._assessment: Assessment | None = None

    # The whole of it ------------------------------------------------------------------------------------------------

    def story(self) -> Story:
        """From the purchase to whatever end."""
        self._create()
        paid_at = self._until_paid()
        if paid_at is not None:
            self._after_paid(paid_at)
        self._story.steps.sort(key=lambda step: step.at)
        return self._story

    def present(self, end: str) -> Story:
        """As far as `end`, for a platform on which all goes on now."""
        self._create()
        self._expires_at = self._bought_at + timedelta(days=30)
        if end != "unpaid":
            at = self._pay(self._bought_at + timedelta(minutes=7))
            if end != "paid":
                self._now(end, at + timedelta(minutes=3))
        return self._story

    def _now(self, end: str, at: datetime) -> None:
        number = self._request(at)
        if end == "pending":
            return
        day = self._platform.size.until + timedelta(days=self._random.uniform(1, 30))
        slot = self._take(day)
        self._session(number, at + timedelta(hours=1), session.Schedule(self._by, at, _times(slot), self._link))
        if end == "on_progress":
            self._session(number, at + timedelta(hours=6), session.Start(self._by, at))

    def _happens(self, what: Scenario, times: float = 1.0) -> bool:
        """Whether it does; in a story that tells one thing, that one and what it needs."""
        if self._only is not None:
            return what == self._only or what in self._needs
        return self._random.random() < CHANCES[what] * times

    # Telling --------------------------------------------------------------------------------------------------------

    def _tell(
        self,
        at: datetime,
        command: sale.Command,
        actor: str,
        words: FreeText | None = None,
        then: tuple[Step, ...] = (),
    ) -> None:
        self._story.steps.append(Step(at, 0, command, actor, words, then))

    def _session(self, number: int, at: datetime, command: session.Command, words: FreeText | None = None) -> None:
        self._story.steps.append(Step(at, number, _with_clock(command, at), str(command.actor), words))

    def _words(self, at: datetime, author: UUID, of: str, link: str | None = None) -> FreeText:
        text = self._random.choice(_REASONS[of]) if of in _REASONS else of
        return FreeText(uuid7_at(at, self._random), author, text, link)

    def _id(self) -> UUID:
        return uuid4_of(self._random)

    def _between(self, first: datetime, last: datetime) -> datetime:
        return first + timedelta(milliseconds=int((last - first).total_seconds() * 1000 * self._random.random()))

    # Money ----------------------------------------------------------------------------------------------------------

    def _create(self) -> None:
        one = self._practitioner.person
        candidate = sale.Candidate(one.id, frozenset(self._practitioner.tiers), active=True)
        offer = self._product.offer_at(self._bought_at)
        create = sale.Create(self._story.sale, self._member.id, offer, candidate, PROVIDER, self._expires_at)
        self._tell(self._bought_at, create, f"member:{self._member.id}")

    def _until_paid(self) -> datetime | None:
        at, random = self._bought_at, self._random
        if self._happens("canceled_unpaid", self._patience):
            at += after(timedelta(minutes=20), random)
            words = self._words(at, self._member.id, "canceled_by_member")
            self._tell(at, sale.Cancel(words.id), f"member:{self._member.id}", words)
            if self._happens("after_cancel"):
                at += after(timedelta(minutes=30), random)
                self._review(at, self._report(at, "paid", self._price))
            return None
        if self._happens("declined"):
            at += after(timedelta(minutes=4), random)
            code = random.choice(("deny", "deny", "failure", "fraud"))
            self._tell(at, self._report(at, "denied", self._price, declined=code), f"service:{PROVIDER}")
            if self._only is None and random.random() < 0.25:
                return self._expire()
        if self._happens("abandoned", self._patience):
            return self._expire()
        if self._happens("wrong_amount"):
            at += after(timedelta(minutes=5), random)
            short = Money(max(1, self._price.amount * random.choice((50, 90, 95)) // 100), self._price.currency)
            self._review(at, self._report(at, "paid", short))
        if self._happens("wrong_currency"):
            at += after(timedelta(minutes=5), random)
            other = "USD" if self._price.currency == "IDR" else "IDR"
            self._review(at, self._report(at, "paid", Money(self._price.amount, other)))
        at += after(timedelta(minutes=4), random, 1.3)
        return self._pay(min(at, self._expires_at - timedelta(minutes=1)))

    def _expire(self) -> None:
        """P3: fifteen minutes late."""
        at = self._expires_at + timedelta(minutes=15, seconds=self._random.randrange(30))
        self._tell(at, sale.Expire(at), "system")
        if self._happens("after_expiry"):
            at += after(timedelta(hours=3), self._random)
            self._review(at, self._report(at, "paid", self._price))

    def _pay(self, at: datetime) -> datetime:
        """The money came some seconds before we heard of it, now and then hours before."""
        late = timedelta(hours=2) if self._random.random() < 0.01 else timedelta(seconds=6)
        heard = at + after(late, self._random)
        report = self._report(heard, "paid", self._price, settled_at=at)
        self._payment = report.payment_id
        self._tell(heard, report, f"service:{PROVIDER}")
        return heard

    def _report(
        self, at: datetime, status: sale.PaymentStatus, amount: Money | None, **more: Any
    ) -> sale.ReportPayment:
        ids = sale.NewIds(self._id(), self._id(), self._id(), self._id())
        payment = more.pop("payment_id", None) or str(self._id())
        return sale.ReportPayment(PROVIDER, payment, status, amount, at, ids, **more)

    def _review(self, at: datetime, report: sale.ReportPayment) -> None:
        """P4: money that fits nothing, and what an admin made of it."""
        self._tell(at, report, f"service:{PROVIDER}")
        at = awake(at + after(timedelta(hours=9), self._random), self._random)
        dismissed = report.status == "partly_refunded" or self._happens("dismissed")
        tries = 1 + self._happens("refund_refused")
        for number in range(tries):
            words, refund = self._words(at, HOUSE, "admin"), self._id()
            settle = sale.SettleReview(report.ids.review, "dismiss" if dismissed else "refund", words.id, refund)
            self._tell(at, settle, str(ADMIN), words)
            if dismissed:
                return
            at = self._returned(at, refund, refused=number + 1 < tries)
            at = awake(at + after(timedelta(hours=20), self._random), self._random)

    def _returned(self, at: datetime, refund: UUID, *, refused: bool) -> datetime:
        """P5: the provider's word on a refund, minutes or days later."""
        at += after(timedelta(minutes=40), self._random, 1.6)
        if refused:
            self._tell(at, sale.RefuseRefund(refund, self._random.choice(("412", "414", "402"))), "system")
        else:
            self._tell(at, sale.ConfirmRefund(refund, f"refund-{refund.hex[:12]}"), "system")
        return at

    def _refund(self, at: datetime, open_session: int | None = None) -> None:
        """An admin gives the money back; the provider may say no, and is asked again."""
        at = awake(at, self._random)
        for number in range(tries := 1 + self._happens("refund_refused")):
            words, refund = self._words(at, HOUSE, "admin"), self._id()
            then = self._reversed(at, open_session) if number == 0 else ()
            self._tell(at, sale.RequestRefund(refund, words.id), str(ADMIN), words, then)
            at = self._returned(at, refund, refused=number + 1 < tries)
            at = awake(at + after(timedelta(hours=20), self._random), self._random)

    def _reversed(self, at: datetime, open_session: int | None) -> tuple[Step, ...]:
        if open_session is None:
            return ()
        at += timedelta(milliseconds=self._random.randrange(80, 900))
        return (Step(at, open_session, session.Fail(session.SYSTEM, at, "payment_reversed"), "system"),)

    # Sessions -------------------------------------------------------------------------------------------------------

    def _after_paid(self, at: datetime) -> None:
        random = self._random
        if self._happens("second_payment"):
            again = at + after(timedelta(minutes=15), random)
            self._review(again, self._report(again, "paid", self._price))
        if self._happens("partly_returned"):
            gone = Money(max(1, self._price.amount // 5), self._price.currency)
            left = at + after(timedelta(hours=30), random)
            self._review(
                left, self._report(left, "partly_refunded", self._price, payment_id=self._payment, returned=gone)
            )
            return  # what an admin says of it decides; nobody asks for a session meanwhile
        if self._happens("never_requested"):
            if self._happens("refunded"):
                self._refund(at + after(timedelta(days=4), random))
            return
        for _ in range(3):
            quickly = timedelta(minutes=25) if random.random() < 0.6 else timedelta(hours=30)
            ended = self._lived(awake(at + after(quickly, random), random))
            if ended is None:
                return
            at = ended
            if not self._happens("asks_again"):
                break
            if self._only is not None:
                self._needs = self._needs - {"asks_again"}
                self._only = "plain"
        if self._happens("refunded"):
            self._refund(at + after(timedelta(days=1), random))

    @property
    def _by(self) -> session.Actor:
        return session.Actor("practitioner", self._practitioner.person.id)

    @property
    def _link(self) -> str:
        return self._practitioner.link

    def _take(self, earliest: datetime) -> Slot:
        one = self._practitioner.person
        people = (one.id, self._member.id)
        return self._platform.agenda.take(people, self._product.minutes, earliest, one.timezone, self._random)

    def _request(self, at: datetime) -> int:
        """R1; half of the counselling comes of an assessment."""
        if self._assessment is None and self._product.kind == "counseling" and self._happens("from_assessment"):
            found = Completed(
                self._id(), self._member.id, self._bought_at - after(timedelta(hours=20), self._random, 1.2)
            )
            self._platform.assessed(found)
            self._assessment = Assessment(found.id, found.user_id)
        self._story.sessions.append(made := uuid7_at(at, self._random))
        number = len(self._story.sessions)
        right = Entitlement(
            self._story.sale, self._member.id, self._practitioner.person.id, Entitlement.PAID, self._product.kind,
            self._product.request_limit_minutes, auto_start=self._product.auto_start, version=0,
        )  # fmt: skip
        actor = session.Actor("member", self._member.id)
        self._session(number, at, session.Request(actor, at, made, right, self._assessment))
        return number

    def _lived(self, at: datetime) -> datetime | None:
        """A session from its request; when it ended without a result, None if it has one or the money is gone."""
        random, limit = self._random, timedelta(minutes=self._product.request_limit_minutes)
        number, respond_by = self._request(at), at + limit
        for what, role in (("member_cancels_request", "member"), ("practitioner_cancels_request", "practitioner")):
            if self._happens(what, self._patience):  # type: ignore[arg-type]
                return self._cancel(number, role, self._between(at, at + limit / 3))
        if self._happens("reassigned") and self._can_reassign(at):
            at = self._reassign(number, awake(at + after(timedelta(hours=12), random), random), open_session=True)
            respond_by = at + limit
        took = timedelta(hours=7) * self._practitioner.speed * self._patience
        answered = awake(at + after(took, random, 1.0), random)
        if self._happens("timeout", self._patience) or answered >= respond_by:
            late = respond_by + timedelta(milliseconds=random.randrange(200, 20_000))
            self._session(number, late, session.Fail(session.SYSTEM, late, "practitioner_timeout"))
            return late
        return self._scheduled(number, answered)

    def _scheduled(self, number: int, at: datetime) -> datetime | None:
        random = self._random
        slot = self._take(at + timedelta(hours=3) + after(timedelta(days=3), random, 0.8))
        self._session(number, at, session.Schedule(self._by, at, _times(slot), self._link))
        for _ in range(3):
            if not self._happens("rescheduled") or slot.starts_at - at < timedelta(hours=2):
                break
            at = self._between(at, slot.starts_at - timedelta(hours=1))
            slot = self._take(at + timedelta(hours=3) + after(timedelta(days=4), random, 0.8))
            self._session(number, at, session.Reschedule(self._by, at, _times(slot), self._link))
            if self._only is not None:
                break
        if self._happens("reassigned_scheduled") and self._can_reassign(at):
            at = self._reassign(number, self._between(at, slot.starts_at - timedelta(hours=1)), open_session=True)
            at = awake(at + after(timedelta(hours=5), random), random)
            slot = self._take(at + timedelta(hours=3) + after(timedelta(days=2), random, 0.8))
            self._session(number, at, session.Schedule(self._by, at, _times(slot), self._link))
        if self._happens("member_cancels", self._patience):
            return self._cancel(number, "member", self._between(at, slot.starts_at))
        if self._happens("practitioner_cancels", self._patience):
            return self._cancel(number, "practitioner", self._between(at, slot.starts_at))
        if self._happens("refunded_open"):
            self._refund_by(self._between(at, slot.starts_at), number)
            return None
        if self._happens("charged_back"):
            self._charged_back(self._between(at, slot.starts_at), number)
            return None
        return self._met(number, slot)

    def _refund_by(self, at: datetime, number: int) -> None:
        """As an admin is asked, at whatever hour: the session's start doesn't wait for the morning."""
        words, refund = self._words(at, HOUSE, "admin"), self._id()
        self._tell(at, sale.RequestRefund(refund, words.id), str(ADMIN), words, self._reversed(at, number))
        self._returned(at, refund, refused=False)

    def _charged_back(self, at: datetime, number: int) -> None:
        report = self._report(at, "refunded", self._price, payment_id=self._payment, provider_refund_id="chargeback")
        self._tell(at, report, f"service:{PROVIDER}", then=self._reversed(at, number))

    def _met(self, number: int, slot: Slot) -> datetime | None:
        """The start, on time, late or never."""
        random = self._random
        for what, chance in (
            ("no_show_member", self._patience),
            ("no_show_practitioner", self._patience),
            ("technical", 1.0),
        ):
            if self._happens(what, chance):  # type: ignore[arg-type]
                return self._failed(number, slot, what)
        started = self._start(number, slot)
        if started is not None and self._happens("reassigned_late") and self._can_reassign(slot.starts_at):
            self._reassigned_late(started)
        parted = slot.ends_at + timedelta(minutes=random.randrange(-9, 20))
        at = max(parted, slot.ends_at) + after(timedelta(hours=2.5), random, 1.1)
        long_enough = started is None or parted - started > timedelta(minutes=5)
        self._upload(number, at, parted if long_enough and random.random() < 0.6 else None)
        if self._happens("replaced"):
            self._upload(number, awake(at + after(timedelta(days=2), random), random))
        return None

    def _start(self, number: int, slot: Slot) -> datetime | None:
        random = self._random
        if self._product.auto_start:
            at = slot.starts_at + timedelta(milliseconds=random.randrange(100, 4_000))
            self._session(number, at, session.Start(session.SYSTEM, at))
            return at
        if self._happens("unstarted"):
            return None
        minutes = random.uniform(8, 35) if self._happens("late_start", self._patience) else random.gauss(1, 2.5)
        at = slot.starts_at + timedelta(milliseconds=round(60_000 * minutes))
        self._session(number, at, session.Start(self._by, at))
        return at

    def _failed(self, number: int, slot: Slot, what: str) -> datetime:
        """An admin ends it, as one of both did not come; the other had often begun."""
        if what != "no_show_practitioner" and not self._product.auto_start and self._random.random() < 0.5:
            at = slot.starts_at + timedelta(minutes=self._random.uniform(0, 5))
            self._session(number, at, session.Start(self._by, at))
        elif self._product.auto_start:
            self._start(number, slot)
        at = slot.starts_at + timedelta(minutes=20) + after(timedelta(minutes=50), self._random)
        words = self._words(at, HOUSE, "admin")
        self._session(number, at, session.Fail(ADMIN, at, what, words.id), words)  # type: ignore[arg-type]
        return at

    def _upload(self, number: int, at: datetime, ended_at: datetime | None = None) -> None:
        """The result; S8: when they parted, where the practitioner says it."""
        recorded, file = self._random.random() < 0.55, self._random.getrandbits(120)
        link = f"https://drive.google.com/file/d/1{file:030x}/view" if recorded else None
        words = self._words(at, self._practitioner.person.id, "Catatan sesi", link)
        done = session.UploadResult(self._by, at, words.id, has_link=recorded, has_notes=True, ended_at=ended_at)
        self._session(number, at, done, words)

    def _cancel(self, number: int, role: str, at: datetime) -> datetime:
        person = self._member.id if role == "member" else self._practitioner.person.id
        actor = session.Actor(role, person)  # type: ignore[arg-type]
        words = self._words(at, person, f"canceled_by_{role}")
        code = "other" if self._random.random() < 0.1 else f"canceled_by_{role}"
        self._session(number, at, session.Cancel(actor, at, code, words.id), words)  # type: ignore[arg-type]
        return at

    def _can_reassign(self, at: datetime) -> bool:
        return self._platform.others(self._product.tier, at) > 1

    def _reassign(self, number: int, at: datetime, *, open_session: bool) -> datetime:
        """P2: an admin gives the sale to another; the open session follows, with the full time to answer."""
        other = self._platform.practitioner_at(self._product.tier, at, self._random, but=self._practitioner)
        words = self._words(at, HOUSE, "admin")
        then: tuple[Step, ...] = ()
        moved = at + timedelta(milliseconds=self._random.randrange(80, 900))
        if open_session:
            respond_by = moved + timedelta(minutes=self._product.request_limit_minutes)
            change = session.ChangePractitioner(session.SYSTEM, moved, other.person.id, respond_by)
            then = (Step(moved, number, change, "system"),)
        self._practitioner = other
        self._tell(at, sale.Reassign(_candidate(other), words.id, "scheduled"), str(ADMIN), words, then)
        return moved

    def _reassigned_late(self, started: datetime) -> None:
        """P2: it came too late, consultation kept the practitioner, and checkout gives the pair back."""
        lived, at = self._practitioner, started + timedelta(milliseconds=self._random.randrange(20, 200))
        other = self._platform.practitioner_at(self._product.tier, at, self._random, but=lived)
        words, back = self._words(at, HOUSE, "admin"), at + timedelta(milliseconds=self._random.randrange(50, 700))
        then = (Step(back, 0, sale.FollowSession(lived.person.id), "system"),)
        self._tell(at, sale.Reassign(_candidate(other), words.id, "scheduled"), str(ADMIN), words, then)


def _candidate(one: Practitioner) -> sale.Candidate:
    return sale.Candidate(one.person.id, frozenset(one.tiers), active=True)


def _times(slot: Slot) -> LocalTimes:
    return LocalTimes(slot.day, slot.begins, slot.ends, slot.timezone)


def _with_clock(command: Any, at: datetime) -> Any:
    return command if command.at == at else type(command)(**{**_fields(command), "at": at})


def _fields(command: Any) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__dataclass_fields__ if name != "name"}
