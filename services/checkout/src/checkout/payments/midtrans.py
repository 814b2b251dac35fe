"""`midtrans`: Snap's payment page, status, refund and cancel, and its notifications.

What happened is `transaction_status` with `fraud_status` (`CYCLE`), never the first digit of a code: 407 is a good
answer that means expired, 202 may be a refund that the bank denied. A notification's signature covers `order_id`,
`status_code` and `gross_amount` only, not what happened. Yet `status_code` says whether money came (200): a status that
tells so without it is forged or broken, and refused like a bad signature.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx2

from booking_contracts.money import DECIMALS, Money
from booking_process.observed import asking, depends
from checkout.payments.provider import (
    MONEY,
    BadBodyError,
    BadSignatureError,
    Notification,
    PaymentOrder,
    ProviderDownError,
    ProviderRefusedError,
    RefundOrder,
    json_object,
    money,
    text,
)
from checkout.transactions.commands import PaymentStatus


@dataclass(frozen=True, slots=True)
class Step:
    """`money_in`: it tells that the gross amount came. `money_out`: what went back of that. `next`: what may follow."""

    means: PaymentStatus
    money_in: bool
    money_out: Literal["nothing", "all that came", "refund_amount, or an unknown part"]
    next: frozenset[str]


_ALL: Literal["all that came"] = "all that came"
_PART: Literal["refund_amount, or an unknown part"] = "refund_amount, or an unknown part"
_NONE: Literal["nothing"] = "nothing"
_BEGUN = frozenset({"capture", "deny", "cancel", "expire"})
_OUT = frozenset({"refund", "partial_refund", "chargeback", "partial_chargeback"})

# `transaction_status`: what may follow what, and what each means for money in and money out, from its documentation
# (docs.midtrans.com): "Transaction status cycle", "Transaction status", "Fraud status", "Refund transaction", "Direct
# refund transaction", "Cancel transaction". docs/api.md shows this very table; the tests judge every pair of statuses
# by it, cell by cell.
CYCLE: Mapping[str, Step] = {
    "pending": Step("pending", False, _NONE, _BEGUN | {"authorize", "settlement", "failure"}),
    "authorize": Step("pending", False, _NONE, _BEGUN),
    "capture": Step("paid", True, _NONE, frozenset({"settlement", "cancel"})),
    "settlement": Step("paid", True, _NONE, _OUT | {"deny"}),
    "deny": Step("denied", False, _ALL, frozenset()),
    "cancel": Step("voided", False, _ALL, frozenset()),
    "expire": Step("failed", False, _NONE, frozenset()),
    "failure": Step("failed", False, _NONE, frozenset()),
    "refund": Step("refunded", True, _ALL, frozenset()),
    "partial_refund": Step("partly_refunded", True, _PART, _OUT),
    "chargeback": Step("refunded", True, _ALL, frozenset()),
    "partial_chargeback": Step("partly_refunded", True, _PART, _OUT),
}
FRAUD: Mapping[str, PaymentStatus | None] = {"accept": None, "challenge": "pending", "deny": "denied"}
"""What fraud detection makes of `capture` and `settlement`: none of its business, wait for a decision, no money."""


def meaning(transaction_status: str, fraud_status: str) -> PaymentStatus | None:
    """Return what the two words mean together; None for words that the documentation doesn't know."""
    step = CYCLE.get(transaction_status)
    if step is None or step.means != "paid" or not fraud_status:
        return step.means if step else None
    if fraud_status not in FRAUD:
        return None
    return FRAUD[fraud_status] or step.means


def table() -> str:
    """Return the cycle as the page of the product shows it."""
    rows = ["| `transaction_status` | means | money in | money out | may become |", "| --- | --- | --- | --- | --- |"]
    for name, step in CYCLE.items():
        money_in = "the gross amount" if step.money_in else "nothing"
        following = ", ".join(f"`{one}`" for one in CYCLE if one in step.next) or "–"
        rows.append(f"| `{name}` | {step.means} | {money_in} | {step.money_out} | {following} |")
    return "\n".join(rows)


MOST_REFUNDS = 100
MOST_URL = 2_048
TEST = "payment_notif_test_"  # what the order of the dashboard's "Test notification URL" begins with
UNSETTLED = ("pending", "authorize", "capture")  # given back by cancel; refund is for what is settled
GONE = ("refund", "chargeback", "cancel", "deny")  # all of it went back already
FINAL = {"400", "404", "406", "410", "411", "412", "413", "414", "418"}  # refund answers that no repeat will change
DEADLINE = 5.0  # seconds for connecting, sending and reading together (P3)
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    said: dict[str, Any]
    body: bytes


class Caller:
    """An HTTP client that cannot be kept waiting, led astray or flooded. Its connections open at the first call."""

    def __init__(self, *, username: str, deadline: float = DEADLINE) -> None:
        self._auth = httpx2.BasicAuth(username, "")
        self._deadline = deadline
        self._client: httpx2.AsyncClient | None = None
        depends("payments")

    async def call(self, method: str, url: str, *, json: Any = None) -> Reply:
        """Return a JSON reply of any status; `ProviderDownError` for everything else."""
        with asking("payments", ProviderDownError):
            try:
                async with asyncio.timeout(self._deadline):
                    return await self._call(method, url, json)
            except TimeoutError:
                raise ProviderDownError("no answer in time") from None
            except (httpx2.HTTPError, httpx2.InvalidURL, BadBodyError, OSError) as error:
                raise ProviderDownError(type(error).__name__) from error

    async def _call(self, method: str, url: str, json: Any) -> Reply:
        async with self._open().stream(method, url, json=json, headers={"Accept": "application/json"}) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes(8192):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ProviderDownError("the reply is too large")
            if 300 <= response.status_code < 400 or response.status_code >= 500:
                raise ProviderDownError(f"status {response.status_code}")
            return Reply(response.status_code, json_object(bytes(body)), bytes(body))

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            # No environment: a proxy variable must not carry the server key to somebody else.
            self._client = httpx2.AsyncClient(
                auth=self._auth, timeout=self._deadline, follow_redirects=False, trust_env=False
            )
        return self._client

    async def close(self) -> None:
        """Close idle connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class Midtrans:
    """The `midtrans` provider. `server_keys`: the first one calls, all verify, so that a key can be replaced (T22)."""

    name = "midtrans"
    remote = True

    def __init__(
        self, *, api_url: str, snap_url: str, server_keys: tuple[str, ...], caller: Caller | None = None
    ) -> None:
        self._api = api_url.rstrip("/")
        self._snap = snap_url.rstrip("/")
        self._keys = server_keys
        self._caller = caller or Caller(username=server_keys[0])

    def verify(self, _headers: Mapping[str, str], body: bytes) -> None:
        """Raise `BadSignatureError` unless `signature_key` fits the values as sent, character by character."""
        said = json_object(body)
        signed = [said.get(name) for name in ("order_id", "status_code", "gross_amount")]
        given = said.get("signature_key")
        if not isinstance(given, str) or not all(isinstance(value, str) for value in signed):
            raise BadSignatureError(self.name)
        plain = "".join(str(value) for value in signed)
        proof = given.lower().encode("utf-8", "replace")
        fits = [hmac.compare_digest(proof, _sha512(plain + key)) for key in self._keys]
        if not any(fits):
            raise BadSignatureError(self.name)
        if _status(said) in MONEY and said.get("status_code") != "200":
            raise BadSignatureError(f"{self.name}: the unsigned status contradicts the signed code")

    def parse(self, body: bytes) -> Notification:
        """Return what it says; see `Provider.parse`."""
        return _notification(json_object(body), body)

    async def create_session(self, order: PaymentOrder) -> str:
        """Ask Snap for a payment page; it sends the member on to `callbacks.finish`, however the payment ended."""
        minutes = max(1, int((order.expires_at - datetime.now(UTC)).total_seconds() // 60))
        reply = await self._caller.call(
            "POST",
            f"{self._snap}/snap/v1/transactions",
            json={
                "transaction_details": {"order_id": order.reference, "gross_amount": _amount(order.price)},
                "expiry": {"unit": "minutes", "duration": minutes},
                "credit_card": {"secure": True},
                **({"callbacks": {"finish": order.return_url}} if order.return_url else {}),
            },
        )
        if reply.status not in (200, 201):
            raise ProviderRefusedError(str(reply.status))
        return self._page(reply.said.get("redirect_url"))

    def _page(self, url: object) -> str:
        """The member is sent there: nowhere but to Snap's own origin, whatever the reply says."""
        if isinstance(url, str) and len(url) <= MOST_URL and url.isascii() and url.isprintable() and "\\" not in url:
            page, snap = urlsplit(url), urlsplit(self._snap)
            if (page.scheme, page.netloc) == (snap.scheme, snap.netloc):
                return url
        raise ProviderDownError("the reply has no page of Snap's")

    async def status(self, reference: str) -> tuple[Notification, bytes] | None:
        """Ask what became of this reference."""
        reply = await self._caller.call("GET", f"{self._api}/v2/{quote(reference, safe='')}/status")
        if text(reply.said.get("order_id")) == reference and text(reply.said.get("transaction_status")) in CYCLE:
            return _notification(reply.said, reply.body), reply.body
        if _code(reply) == "404":
            return None
        raise ProviderDownError(f"status {_code(reply)}")

    async def refund(self, order: RefundOrder) -> str | None:
        """Refund what is settled, cancel what is only captured; a no counts once the payment's status explains it.

        `refund_key` is our refund's id, so Midtrans refunds it once however often it is asked.
        """
        reply = await self._post(
            order.reference,
            "refund",
            {"refund_key": str(order.id), "amount": _amount(order.amount), "reason": "requested by merchant"},
        )
        code = _code(reply)
        if code == "200":
            return text(reply.said.get("refund_key")) or None
        # A no may follow a yes that we never heard, and 412 may mean "not by this way": ask before it counts.
        now = (await self._caller.call("GET", f"{self._api}/v2/{quote(order.reference, safe='')}/status")).said
        if str(order.id) in _refund_keys(now):
            return str(order.id)
        status = text(now.get("transaction_status"))
        if text(now.get("transaction_id")) not in ("", order.payment_id):
            status = ""  # of another attempt at this order: it tells nothing of our payment
        if status in GONE:
            return None
        if status in UNSETTLED:
            return await self._cancel(order, now)
        if code in FINAL or code == "202":
            raise ProviderRefusedError(code)
        raise ProviderDownError(f"status {code}")

    async def _cancel(self, order: RefundOrder, now: Mapping[str, Any]) -> None:
        """Void a payment that is not settled yet: all of it goes back, so a part of it must wait for the settlement."""
        gross, exact = money(now.get("gross_amount"), now.get("currency", "IDR"))
        if gross != order.amount or not exact:
            raise ProviderDownError("a part of it can only be refunded, once it is settled")
        reply = await self._post(order.reference, "cancel", None)
        if _code(reply) != "200":
            raise ProviderDownError(f"cancel {_code(reply)}")  # it may be settled by now: the next try refunds it

    async def _post(self, reference: str, action: str, body: Any) -> Reply:
        return await self._caller.call("POST", f"{self._api}/v2/{quote(reference, safe='')}/{action}", json=body)

    async def close(self) -> None:
        """Close idle connections."""
        await self._caller.close()


def _notification(said: Mapping[str, Any], body: bytes) -> Notification:
    currency = said.get("currency", "IDR")
    amount, exact = money(said.get("gross_amount"), currency)
    status = _status(said)
    returned = _returned(said, currency) if status in ("partly_refunded", "refunded") else None
    if status == "refunded" and (returned is None or amount is None or returned.amount >= amount.amount):
        returned = None  # all of it, as its status says; less than that would contradict it, and is looked at
    keys = _refund_keys(said)
    return Notification(
        provider=Midtrans.name,
        notification_id=hashlib.sha256(body).hexdigest(),  # Midtrans numbers payments, not notifications
        payment_id=text(said.get("transaction_id")) or text(said.get("order_id")),
        reference=text(said.get("order_id")),
        status=status,
        amount=amount,
        exact=exact,
        returned=returned,
        provider_refund_id=keys[-1] if keys else None,
        refund_ids=tuple(keys),
        retry=status == "denied" and said.get("payment_type") == "credit_card",  # Snap lets them try another card
        test=text(said.get("order_id")).startswith(TEST),
        settled_at=_settled_at(said),
        declined=_declined(said, status),
    )


def _declined(said: Mapping[str, Any], status: PaymentStatus | None) -> str | None:
    """`deny`, `failure`, or `fraud` where fraud detection said it; an order that merely expired was not declined."""
    word = text(said.get("transaction_status"))
    if status not in ("denied", "failed") or word == "expire":
        return None
    return word if CYCLE[word].means != "paid" else "fraud"


def _settled_at(said: Mapping[str, Any]) -> datetime | None:
    """Of a card that is captured and not settled yet, when it was charged."""
    charged = said.get("transaction_time") if said.get("transaction_status") == "capture" else None
    return _instant(said.get("settlement_time")) or _instant(charged)


_WIB = timezone(timedelta(hours=7), "WIB")


def _instant(local: object) -> datetime | None:
    """Midtrans writes `2021-06-23 11:27:50`, without a zone, and means GMT+7. None for what is no such time."""
    if not isinstance(local, str) or not local.isascii():
        return None
    try:
        return datetime.strptime(local, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_WIB).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _status(said: Mapping[str, Any]) -> PaymentStatus | None:
    fraud = said.get("fraud_status")
    word = "" if fraud is None else text(fraud) if isinstance(fraud, str) else repr(fraud)  # None: it says nothing
    return meaning(text(said.get("transaction_status")), word)


def _returned(said: Mapping[str, Any], currency: object) -> Money | None:
    """All that went back so far: `refund_amount`, else the sum of `refunds`. None: it doesn't say."""
    total, _ = money(said.get("refund_amount"), currency)
    if total is None:
        parts = [money(one.get("refund_amount"), currency)[0] for one in _refunds(said)]
        known = [part for part in parts if part is not None]
        if not known or len(known) < len(parts):
            return None
        total = Money(sum(part.amount for part in known), known[0].currency)
    return total if total.amount > 0 else None


def _refunds(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    refunds = said.get("refunds")
    return [one for one in refunds if isinstance(one, dict)] if isinstance(refunds, list) else []


def _refund_keys(said: Mapping[str, Any]) -> list[str]:
    return [key for key in (text(one.get("refund_key")) for one in _refunds(said)) if key][-MOST_REFUNDS:]


def _code(reply: Reply) -> str:
    """Midtrans puts its own status into the body and often answers 200 around it."""
    return text(reply.said.get("status_code")) or str(reply.status)


def _amount(value: Money) -> int | float:
    digits = DECIMALS.get(value.currency, 0)
    return value.amount if digits == 0 else value.amount / 10**digits


def _sha512(plain: str) -> bytes:
    return hashlib.sha512(plain.encode("utf-8", "replace")).hexdigest().encode()
