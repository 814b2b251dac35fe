"""What the calendar can be told by its environment, beside the settings of every service."""

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from booking_process.settings import ServiceSettings


class Settings(ServiceSettings):
    """Feeds and the projection."""

    feed_secret: Annotated[
        SecretStr,
        Field(
            min_length=16,
            description="at least 16 random characters: whoever has them makes feeds' addresses, the stream's tickets",
            examples=["an-example-of-a-secret"],
        ),
    ]
    feed_previous_secrets: Annotated[
        tuple[SecretStr, ...],
        Field(description="a JSON list of the secrets before: what was made with them is still good"),
    ] = ()
    public_url: Annotated[
        str,
        StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$", strip_whitespace=True),
        Field(description="the address under which people's calendar apps reach this service, https://..."),
    ] = "http://127.0.0.1:8000"
    rebuild_consumers: Annotated[
        int, Field(ge=1, le=6, description="how many consumers of a process read in parallel for a rebuild, 1 to 6")
    ] = 2
    switch_patience_seconds: Annotated[
        float,
        Field(
            ge=0, le=600, description="how long a finished rebuild waits for equal positions, where all rows compare"
        ),
    ] = 10.0
