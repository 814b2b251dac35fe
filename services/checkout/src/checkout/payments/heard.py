"""All that was said of one payment, whatever came first: amounts only rise, and nothing said is unsaid."""

from dataclasses import dataclass, replace

from booking_contracts.money import Money
from checkout.payments.provider import Notification

MONEY = ("paid", "partly_refunded", "refunded")  # they tell of money that came, whatever became of it


@dataclass(frozen=True, slots=True)
class Heard:
    """`received` came in, `returned` went out, in units of `currency`. `partly`: a part went back that nobody told."""

    currency: str | None = None
    received: int | None = None
    returned: int = 0
    partly: bool = False
    whole: bool = False
    voided: bool = False
    denied: bool = False

    def and_(self, said: Notification) -> "Heard":
        """Return this with one more word of the provider's. Another currency than the first is not added up."""
        after = replace(
            self,
            voided=self.voided or said.status == "voided",
            denied=self.denied or (said.status == "denied" and not said.retry),
        )
        amount = said.amount
        if said.status not in MONEY or amount is None or self.currency not in (None, amount.currency):
            return after
        so_far = said.returned
        return replace(
            after,
            currency=amount.currency,
            received=max(self.received or 0, amount.amount),
            returned=max(self.returned, so_far.amount if so_far else 0),
            partly=self.partly or (said.status == "partly_refunded" and so_far is None),
            whole=self.whole or (said.status == "refunded" and so_far is None),
        )

    @property
    def gone(self) -> bool:
        """Whether all that came went back."""
        return self.received is not None and (self.whole or self.voided or self.returned >= self.received)

    @property
    def unclear(self) -> bool:
        """Whether something went back that nobody can count: an untold part, or a denial whose order is unknown."""
        return self.partly or self.denied

    @property
    def left(self) -> Money | None:
        """What could be given back; None for nothing, or where nobody can know."""
        if self.received is None or self.currency is None or self.gone or self.unclear:
            return None
        return Money(self.received - self.returned, self.currency)
