"""What callers write and read of webhooks."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from booking_web.instants import InstantOut
from notifier.webhooks.addresses import LONGEST
from notifier.webhooks.events import WebhookEventType

EndpointStatus = Literal["enabled", "disabled"]
DisabledReason = Literal["by_admin", "failing", "gone"]
DeliveryStatus = Literal["pending", "sending", "delivered", "failed"]


def _once_each(types: list[WebhookEventType]) -> list[WebhookEventType]:
    if len(set(types)) < len(types):
        raise ValueError("each type once")
    return types


Url = Annotated[
    str,
    Field(
        max_length=LONGEST,
        pattern=r"^https?://[^\s]+$",
        description="Where deliveries are posted: https, on the public internet.",
        examples=["https://gateway.example.com/webhooks"],
    ),
]
EventTypes = Annotated[
    list[WebhookEventType],
    Field(min_length=1, max_length=len(WebhookEventType), json_schema_extra={"uniqueItems": True}),
    AfterValidator(_once_each),
]
Description = Annotated[str | None, Field(max_length=200, examples=["The mobile gateway"])]


class NewWebhookEndpoint(BaseModel):
    """Which events are posted where."""

    model_config = ConfigDict(extra="forbid")
    url: Url
    event_types: EventTypes
    description: Description = None


class WebhookEndpointChange(NewWebhookEndpoint):
    """What an endpoint is from now on, the whole of it. `disabled`: what is due waits until it is enabled again."""

    status: EndpointStatus


class WebhookEndpoint(BaseModel):
    """An endpoint as it is, without its secrets."""

    id: UUID
    url: str = Field(examples=["https://gateway.example.com/webhooks"])
    event_types: list[WebhookEventType]
    description: str | None = Field(examples=["The mobile gateway"])
    status: EndpointStatus
    disabled_reason: DisabledReason | None = Field(
        examples=[None],
        description="`failing`: nothing got through for three days; `gone`: it answered 410.",
    )
    disabled_at: InstantOut | None = Field(examples=[None])
    failing_since: InstantOut | None = Field(
        examples=[None], description="The first try after which none got through; null while all is well."
    )
    previous_secret_until: InstantOut | None = Field(
        examples=[None], description="Until then the secret before this one signs too."
    )
    created_at: InstantOut
    version: int


class WebhookEndpointWithSecret(WebhookEndpoint):
    """An endpoint with its new secret, which no other answer shows."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="])


class NewWebhookSecret(BaseModel):
    """How a secret is replaced."""

    model_config = ConfigDict(extra="forbid")
    overlap_seconds: int = Field(
        default=86_400, ge=0, le=604_800, description="How long the one before it signs too; 0 where it has leaked."
    )


class WebhookDelivery(BaseModel):
    """One event for one endpoint, and what became of it."""

    id: UUID
    webhook_id: UUID = Field(description="The event's id: the `webhook-id` header of every try.")
    endpoint_id: UUID
    type: str = Field(examples=[WebhookEventType.TRANSACTION_PAID.value])
    status: DeliveryStatus
    attempts: int
    reason: str | None = Field(
        examples=[None], description="Of the last try: `http_500`, `timeout`, `unreachable`, ..."
    )
    status_code: int | None = Field(examples=[200], description="What the receiver answered last.")
    next_attempt_at: InstantOut | None = Field(examples=[None], description="While it is `pending`.")
    delivered_at: InstantOut | None = Field(examples=[None])
    created_at: InstantOut
    version: int


class WebhookAttempt(BaseModel):
    """One try. Without an end: it is under way, or its process died."""

    number: int
    started_at: InstantOut
    ended_at: InstantOut | None
    status_code: int | None = Field(examples=[200])
    reason: str | None = Field(examples=[None])


class WebhookDeliveryWithAttempts(WebhookDelivery):
    """A delivery with its tries, the newest first, a hundred at most."""

    log: list[WebhookAttempt]
