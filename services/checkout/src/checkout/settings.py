"""Checkout's settings, from the environment or from files in SECRETS_DIR."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from booking_process.settings import Origins, PrivateWebAddress, ServiceSettings


class Settings(ServiceSettings):
    """What checkout needs besides what every service needs. A provider is configured when its secret is set."""

    payment_provider: Annotated[
        Literal["midtrans", "manual"], Field(description="the provider of new Transactions: midtrans or manual")
    ] = "midtrans"
    midtrans_api_url: Annotated[PrivateWebAddress, Field(description="the address of Midtrans' API")] = (
        "https://api.sandbox.midtrans.com"
    )
    midtrans_snap_url: Annotated[PrivateWebAddress, Field(description="the address of Midtrans' Snap")] = (
        "https://app.sandbox.midtrans.com"
    )
    midtrans_server_key: Annotated[
        SecretStr | None, Field(description="Midtrans' server key", examples=["SB-Mid-server-example"])
    ] = None
    midtrans_previous_server_keys: Annotated[
        tuple[SecretStr, ...],
        Field(description="a JSON list of keys whose notifications still count while one is replaced"),
    ] = ()
    return_origins: Annotated[
        Origins,
        Field(description='a JSON list of the origins that members may return to from paying, ["https://app.example"]'),
    ] = ()
    manual_secret: Annotated[SecretStr | None, Field(description="the secret that signs `manual` notifications")] = None
    manual_previous_secrets: Annotated[
        tuple[SecretStr, ...], Field(description="a JSON list of secrets that still count while one is replaced")
    ] = ()
    expiry_grace_seconds: Annotated[
        int, Field(ge=0, description="seconds after `expires_at` that a payment may still be on its way")
    ] = 900
    erasure_resend_seconds: Annotated[
        int,
        Field(ge=0, description="seconds until a tombstone is sent once more: longer than the topics' segment.ms"),
    ] = 3_660
    timer_seconds: Annotated[
        float, Field(gt=0, le=60, description="how often timers look for what is due, in seconds")
    ] = 1.0
    retry_base_seconds: Annotated[
        float, Field(gt=0, le=600, description="the first wait before a provider is asked again, in seconds")
    ] = 2.0
    retry_most_seconds: Annotated[
        float, Field(gt=0, le=86_400, description="the longest wait before a provider is asked again, in seconds")
    ] = 300.0

    @model_validator(mode="after")
    def _provider_is_configured(self) -> Self:
        secrets = {"midtrans": self.midtrans_server_key, "manual": self.manual_secret}
        if secrets[self.payment_provider] is None:
            name = {"midtrans": "MIDTRANS_SERVER_KEY", "manual": "MANUAL_SECRET"}[self.payment_provider]
            raise ValueError(f"PAYMENT_PROVIDER is {self.payment_provider}: set {name} too")
        return self
