"""What consultation can be told by its environment, beside the settings of every service."""

from typing import Annotated

from pydantic import Field, field_validator

from booking_process.settings import ServiceSettings
from consultation.links.meeting import SHAPES, MeetingLinks
from consultation.links.result import DEFAULT_HOSTS, ResultLinks


class Settings(ServiceSettings):
    """S3's hosts and the timers' pace."""

    meeting_hosts: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            description=f"a JSON list of {', '.join(SHAPES)} and of jitsi:<host> for a Jitsi of one's own",
        ),
    ] = tuple(SHAPES)
    result_hosts: Annotated[
        tuple[str, ...],
        Field(min_length=1, description='a JSON list of storage hosts such as ["drive.google.com","*.sharepoint.com"]'),
    ] = DEFAULT_HOSTS
    timer_poll_seconds: Annotated[
        float, Field(gt=0, le=60, description="how often the timers look for what is due, in seconds")
    ] = 1.0

    @field_validator("meeting_hosts")
    @classmethod
    def _have_shapes(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        MeetingLinks(hosts)
        return hosts

    @field_validator("result_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        ResultLinks(hosts)
        return hosts
