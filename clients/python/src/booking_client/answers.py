"""What a call that was not refused gives back."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx2

Body_co = TypeVar("Body_co", covariant=True)


@dataclass(frozen=True, slots=True)
class NotModified:
    """304: what the caller has, by `if_none_match`, is still so."""

    headers: httpx2.Headers

    @property
    def etag(self) -> str:
        """The tag that still holds."""
        return self.headers["ETag"]


@dataclass(frozen=True, slots=True)
class Answer(Generic[Body_co]):
    """A success. `body` is the JSON as it came: members that this client does not know yet are in it, too."""

    body: Body_co
    status: int
    headers: httpx2.Headers

    @property
    def consistency_token(self) -> str | None:
        """For another process; within one, `Seen` carries it."""
        return self.headers.get("Consistency-Token")

    @property
    def replayed(self) -> bool:
        """Whether it is the first answer once more, given to the same Idempotency-Key."""
        return self.headers.get("Idempotency-Replayed") == "true"


@dataclass(frozen=True, slots=True)
class Versioned(Answer[Body_co]):
    """Of one object that has a version."""

    @property
    def etag(self) -> str:
        """For `if_match` of a change that is decided on this, and for `if_none_match`."""
        return self.headers["ETag"]
