# Generated of docs/openapi-operators.json by `make generate`.

"""What who runs the system calls, by its name."""

from typing import Any
from uuid import UUID

from booking_client import operator_models as models
from booking_client.answers import Answer
from booking_client.calls import Calls, Operation, Service
from booking_client.pages import Pages

_ABANDON_PROJECTION_REBUILD = Operation(
    "abandon_projection_rebuild", "DELETE", "/v1/projections/{name}/rebuild", "calendar", keyed=True
)
_DISCARD_HELD_RECORD = Operation(
    "discard_held_record", "POST", "/v1/held-records/{held_id}/discard", "calendar", keyed=True
)
_GET_ERASURE = Operation("get_erasure", "GET", "/v1/erasures/{person_id}", "checkout")
_GET_HELD_RECORD = Operation("get_held_record", "GET", "/v1/held-records/{held_id}", "calendar")
_LIST_HELD_RECORDS = Operation("list_held_records", "GET", "/v1/held-records", "calendar")
_LIST_PROJECTIONS = Operation("list_projections", "GET", "/v1/projections", "calendar")
_PUT_ERASURE = Operation("put_erasure", "PUT", "/v1/erasures/{person_id}", "checkout")
_REBUILD_PROJECTION = Operation("rebuild_projection", "POST", "/v1/projections/{name}/rebuild", "calendar", keyed=True)
_REPLAY_HELD_RECORD = Operation(
    "replay_held_record", "POST", "/v1/held-records/{held_id}/replay", "calendar", keyed=True
)


class Operator(Calls):
    """An administrator, as `Booking.operator` makes one. What several services have is asked of the one that is named.

    Raises what a Caller does. Codes that only operators meet have no class of their own: go by `Refused.code`.

    Whatever is called may be refused as `bad_request`, `database_unavailable`, `forbidden`, `identity_unavailable`,
    `internal_error`, `invalid_request`, `invalid_value`, `not_found`, `rate_limited`, `unauthorized`, `unavailable`.
    """

    async def abandon_projection_rebuild(self, name: str, *, idempotency_key: str | None = None) -> Answer[None]:
        """Give up the rebuild in hand; what is shown was never touched by it.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`.
        """
        return await self._send(_ABANDON_PROJECTION_REBUILD, {"name": name}, key=idempotency_key)

    async def discard_held_record(
        self, service: Service, held_id: UUID | str, *, idempotency_key: str | None = None
    ) -> Answer[models.HeldRecordDetails]:
        """Give it up: its version counts as taken, what waited for it follows. The audit shows it for ever.

        Also refused as `already_settled`, `idempotency_key_reused`, `invalid_idempotency_key`, `still_held`,
        `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(_DISCARD_HELD_RECORD.at(service), {"held_id": held_id}, key=idempotency_key)

    async def get_erasure(self, person_id: UUID | str) -> Answer[models.Erasure]:
        """How far an erasure is.

        Also refused as `person_erased`.
        """
        return await self._send(_GET_ERASURE, {"person_id": person_id})

    async def get_held_record(self, service: Service, held_id: UUID | str) -> Answer[models.HeldRecordDetails]:
        """One held record with its bytes, also after it was settled."""
        return await self._send(_GET_HELD_RECORD.at(service), {"held_id": held_id})

    def list_held_records(
        self, service: Service, *, limit: int | None = None, cursor: str | None = None
    ) -> Pages[models.HeldRecord, models.HeldRecordPage]:
        """What is held now, newest first.

        Also refused as `invalid_cursor`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(_LIST_HELD_RECORDS.at(service), query={"limit": limit, "cursor": cursor})

        return Pages(read, cursor)

    def list_projections(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Pages[models.Projection, models.ProjectionPage]:
        """Per projection: position, lag in events and seconds, and the state of its rebuild with progress and ETA.

        Also refused as `invalid_cursor`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(_LIST_PROJECTIONS, query={"limit": limit, "cursor": cursor})

        return Pages(read, cursor)

    async def put_erasure(self, person_id: UUID | str) -> Answer[models.Erasure]:
        """Erase a person, here and in every service. Repeating it deletes again what came since.

        Also refused as `person_erased`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(_PUT_ERASURE, {"person_id": person_id})

    async def rebuild_projection(
        self, name: str, *, back: bool | None = None, idempotency_key: str | None = None
    ) -> Answer[models.RebuildStart]:
        """Build the rows anew from the log alone, beside those that are shown, and switch once they have caught up.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `nothing_to_go_back_to`,
        `rebuild_running`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(_REBUILD_PROJECTION, {"name": name}, query={"back": back}, key=idempotency_key)

    async def replay_held_record(
        self, service: Service, held_id: UUID | str, *, idempotency_key: str | None = None
    ) -> Answer[models.HeldRecordDetails]:
        """Apply the key's held records in order, this one included; 409 `still_held` names the one in the way.

        Also refused as `already_settled`, `idempotency_key_reused`, `invalid_idempotency_key`, `still_held`,
        `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(_REPLAY_HELD_RECORD.at(service), {"held_id": held_id}, key=idempotency_key)
