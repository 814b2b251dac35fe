"""What alerts watch (P4, P5): open reviews, refunds by age, Transactions past their time."""

from dataclasses import dataclass

from prometheus_client import Gauge

from booking_process.database import Database

OPEN_REVIEWS = Gauge("checkout_payment_reviews_open", "Payment reviews that wait for an admin.", ["cause"])
OLDEST_REFUND = Gauge("checkout_refund_oldest_seconds", "Age of the oldest refund without the provider's word.")
REFUNDS = Gauge("checkout_refunds_requested", "Refunds without the provider's word.")
OVERDUE = Gauge("checkout_expiry_overdue", "Unpaid Transactions past their time and its grace.")
OVERDUE_SECONDS = Gauge("checkout_expiry_lateness_seconds", "How long the oldest of those is overdue.")
CAUSES = (
    "after_expiry",
    "after_cancel",
    "wrong_amount",
    "wrong_currency",
    "second_payment",
    "unknown_transaction",
    "unreadable",
)
_REVIEWS = "SELECT cause, count(*) FROM payment_review WHERE state = 'open' GROUP BY cause"
_REFUNDS = (
    "SELECT count(*), coalesce(extract(epoch FROM now() - min(requested_at)), 0) FROM refund WHERE status = 'requested'"
)
_OVERDUE = (
    "SELECT count(*), coalesce(extract(epoch FROM now() - %(grace)s * interval '1 second' - min(expires_at)), 0)"
    " FROM transaction WHERE status = 'awaiting_payment' AND expires_at <= now() - %(grace)s * interval '1 second'"
)


@dataclass(frozen=True, slots=True)
class Figures:
    database: Database
    grace_seconds: int

    async def step(self) -> int:
        """Set the gauges."""
        async with self.database.autocommit() as conn:
            reviews = dict(await (await conn.execute(_REVIEWS)).fetchall())
            refunds = await (await conn.execute(_REFUNDS)).fetchone()
            overdue = await (await conn.execute(_OVERDUE, {"grace": self.grace_seconds})).fetchone()
        for cause in CAUSES:
            OPEN_REVIEWS.labels(cause).set(reviews.get(cause, 0))
        for found, number, age in ((refunds, REFUNDS, OLDEST_REFUND), (overdue, OVERDUE, OVERDUE_SECONDS)):
            if found:
                number.set(found[0])
                age.set(float(found[1]))
        return 0
