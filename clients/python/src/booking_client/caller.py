# Generated of docs/openapi.json by `make generate`.

"""Every operation by its name, as one caller calls it."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from typing import Any, Literal, overload
from uuid import UUID

import httpx2

from booking_client import models
from booking_client.answers import Answer, NotModified, Versioned
from booking_client.calls import Calls, Operation
from booking_client.pages import Pages

_CANCEL_SESSION = Operation(
    "cancel_session", "POST", "/v1/sessions/{session_id}/cancel", "consultation", keyed=True, consistent=True
)
_CANCEL_TRANSACTION = Operation(
    "cancel_transaction", "POST", "/v1/transactions/{transaction_id}/cancel", "checkout", keyed=True
)
_CREATE_CALENDAR_FEED = Operation("create_calendar_feed", "POST", "/v1/calendar/feeds", "calendar", keyed=True)
_CREATE_STREAM_TICKET = Operation("create_stream_ticket", "POST", "/v1/stream-tickets", "calendar", keyed=True)
_CREATE_TRANSACTION = Operation("create_transaction", "POST", "/v1/transactions", "checkout", keyed=True)
_CREATE_WEBHOOK_ENDPOINT = Operation("create_webhook_endpoint", "POST", "/v1/webhook-endpoints", "notifier", keyed=True)
_DELETE_WEBHOOK_ENDPOINT = Operation(
    "delete_webhook_endpoint", "DELETE", "/v1/webhook-endpoints/{endpoint_id}", "notifier", keyed=True
)
_FAIL_SESSION = Operation(
    "fail_session", "POST", "/v1/sessions/{session_id}/fail", "consultation", keyed=True, consistent=True
)
_GET_ASSESSMENT = Operation("get_assessment", "GET", "/v1/assessments/{assessment_id}", "consultation")
_GET_CALENDAR_FEED = Operation("get_calendar_feed", "GET", "/calendar/feeds/{token}.ics", "calendar", bearer=False)
_GET_ME = Operation("get_me", "GET", "/v1/me", "checkout")
_GET_NOTIFICATION = Operation(
    "get_notification", "GET", "/v1/notifications/{notification_id}", "notifier", consistent=True
)
_GET_PRACTITIONER = Operation("get_practitioner", "GET", "/v1/practitioners/{practitioner_id}", "checkout")
_GET_PRACTITIONER_STANDING = Operation(
    "get_practitioner_standing", "GET", "/v1/practitioners/{practitioner_id}/standing", "checkout"
)
_GET_PREFERENCES = Operation("get_preferences", "GET", "/v1/preferences", "notifier")
_GET_PRODUCT = Operation("get_product", "GET", "/v1/products/{product_id}", "checkout")
_GET_SESSION = Operation("get_session", "GET", "/v1/sessions/{session_id}", "consultation", consistent=True)
_GET_SESSION_SUMMARY = Operation("get_session_summary", "GET", "/v1/sessions/summary", "consultation", consistent=True)
_GET_TRANSACTION = Operation("get_transaction", "GET", "/v1/transactions/{transaction_id}", "checkout", consistent=True)
_GET_WEBHOOK_DELIVERY = Operation("get_webhook_delivery", "GET", "/v1/webhook-deliveries/{delivery_id}", "notifier")
_GET_WEBHOOK_ENDPOINT = Operation("get_webhook_endpoint", "GET", "/v1/webhook-endpoints/{endpoint_id}", "notifier")
_LIST_ASSESSMENTS = Operation("list_assessments", "GET", "/v1/assessments", "consultation")
_LIST_BUSY_INTERVALS = Operation("list_busy_intervals", "GET", "/v1/calendar/busy", "calendar", consistent=True)
_LIST_CALENDAR_EVENTS = Operation("list_calendar_events", "GET", "/v1/calendar/events", "calendar", consistent=True)
_LIST_CALENDAR_FEEDS = Operation("list_calendar_feeds", "GET", "/v1/calendar/feeds", "calendar")
_LIST_NOTIFICATIONS = Operation("list_notifications", "GET", "/v1/notifications", "notifier", consistent=True)
_LIST_PAYMENT_REVIEWS = Operation("list_payment_reviews", "GET", "/v1/payment-reviews", "checkout")
_LIST_PRACTITIONER_DIRECTORY = Operation("list_practitioner_directory", "GET", "/v1/practitioner-directory", "checkout")
_LIST_PRACTITIONERS = Operation("list_practitioners", "GET", "/v1/practitioners", "checkout", consistent=True)
_LIST_PRODUCTS = Operation("list_products", "GET", "/v1/products", "checkout")
_LIST_SESSION_HISTORY = Operation("list_session_history", "GET", "/v1/sessions/{session_id}/history", "consultation")
_LIST_SESSIONS = Operation("list_sessions", "GET", "/v1/sessions", "consultation", consistent=True)
_LIST_TRANSACTION_HISTORY = Operation(
    "list_transaction_history", "GET", "/v1/transactions/{transaction_id}/history", "checkout"
)
_LIST_TRANSACTIONS = Operation("list_transactions", "GET", "/v1/transactions", "checkout", consistent=True)
_LIST_WEBHOOK_DELIVERIES = Operation("list_webhook_deliveries", "GET", "/v1/webhook-deliveries", "notifier")
_LIST_WEBHOOK_ENDPOINTS = Operation("list_webhook_endpoints", "GET", "/v1/webhook-endpoints", "notifier")
_PUT_ASSESSMENT = Operation("put_assessment", "PUT", "/v1/assessments/{assessment_id}", "consultation", keyed=True)
_PUT_ME = Operation("put_me", "PUT", "/v1/me", "checkout", keyed=True)
_PUT_PRACTITIONER = Operation("put_practitioner", "PUT", "/v1/practitioners/{practitioner_id}", "checkout", keyed=True)
_PUT_PREFERENCES = Operation("put_preferences", "PUT", "/v1/preferences", "notifier", keyed=True)
_PUT_PRODUCT = Operation("put_product", "PUT", "/v1/products/{product_id}", "checkout", keyed=True)
_PUT_WEBHOOK_ENDPOINT = Operation(
    "put_webhook_endpoint", "PUT", "/v1/webhook-endpoints/{endpoint_id}", "notifier", keyed=True
)
_REASSIGN_TRANSACTION = Operation(
    "reassign_transaction",
    "PUT",
    "/v1/transactions/{transaction_id}/practitioner",
    "checkout",
    keyed=True,
    consistent=True,
)
_REFUND_TRANSACTION = Operation(
    "refund_transaction", "POST", "/v1/transactions/{transaction_id}/refund", "checkout", keyed=True
)
_REQUEST_SESSION = Operation("request_session", "POST", "/v1/sessions", "consultation", keyed=True, consistent=True)
_RESCHEDULE_SESSION = Operation(
    "reschedule_session", "PUT", "/v1/sessions/{session_id}/schedule", "consultation", keyed=True, consistent=True
)
_RESEND_NOTIFICATION = Operation(
    "resend_notification", "POST", "/v1/notifications/{notification_id}/resend", "notifier", keyed=True
)
_RESEND_WEBHOOK_DELIVERY = Operation(
    "resend_webhook_delivery", "POST", "/v1/webhook-deliveries/{delivery_id}/resend", "notifier", keyed=True
)
_REVOKE_CALENDAR_FEED = Operation(
    "revoke_calendar_feed", "DELETE", "/v1/calendar/feeds/{feed_id}", "calendar", keyed=True
)
_ROTATE_WEBHOOK_SECRET = Operation(
    "rotate_webhook_secret", "POST", "/v1/webhook-endpoints/{endpoint_id}/rotate-secret", "notifier", keyed=True
)
_SCHEDULE_SESSION = Operation(
    "schedule_session", "POST", "/v1/sessions/{session_id}/schedule", "consultation", keyed=True, consistent=True
)
_SETTLE_PAYMENT_REVIEW = Operation(
    "settle_payment_review", "POST", "/v1/payment-reviews/{review_id}/settle", "checkout", keyed=True
)
_START_SESSION = Operation(
    "start_session", "POST", "/v1/sessions/{session_id}/start", "consultation", keyed=True, consistent=True
)
_STREAM_CHANGES = Operation("stream_changes", "GET", "/v1/stream", "calendar")
_TEST_WEBHOOK_ENDPOINT = Operation(
    "test_webhook_endpoint", "POST", "/v1/webhook-endpoints/{endpoint_id}/test", "notifier", keyed=True
)
_UPLOAD_SESSION_RESULT = Operation(
    "upload_session_result", "POST", "/v1/sessions/{session_id}/result", "consultation", keyed=True, consistent=True
)


class Caller(Calls):
    """One person, or one service, as `Booking.caller` makes it. Each method sends one operation.

    Raises Unanswered, Unexpected, or Refused, which has a class for each code in `booking_client.problems`.

    Whatever is called may be refused as `bad_request`, `database_unavailable`, `forbidden`, `identity_unavailable`,
    `internal_error`, `invalid_request`, `invalid_value`, `not_found`, `rate_limited`, `unauthorized`, `unavailable`.
    """

    async def cancel_session(
        self,
        session_id: UUID | str,
        body: models.SessionCancellation,
        *,
        wait: float | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Session]:
        """By the member or the practitioner; the reason's code goes with who cancels (S5).

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_consistency_token`,
        `invalid_idempotency_key`, `invalid_reason`, `invalid_text`, `malformed_json`, `not_yet_visible`,
        `number_too_large`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _CANCEL_SESSION,
            {"session_id": session_id},
            query={"wait": wait},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def cancel_transaction(
        self,
        transaction_id: UUID | str,
        body: models.TransactionCancellation | None = None,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Transaction]:
        """Cancel before payment (P3).

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`,
        `malformed_json`, `number_too_large`, `person_erased`, `stale_version`, `timeout`, `too_large`,
        `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _CANCEL_TRANSACTION,
            {"transaction_id": transaction_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def create_calendar_feed(self, *, idempotency_key: str | None = None) -> Versioned[models.CalendarFeed]:
        """A new secret address of the caller's own calendar, for a calendar app.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `person_erased`, `timeout`, `too_large`,
        `too_many_feeds`, `unsupported_media_type`.
        """
        return await self._send(_CREATE_CALENDAR_FEED, key=idempotency_key)

    async def create_stream_ticket(self, *, idempotency_key: str | None = None) -> Answer[models.StreamTicket]:
        """A ticket for `GET /v1/stream?ticket=`, for one use within a minute: what opens the stream where no header can
        be sent, as by a browser's EventSource. It is no token, and no other address takes it.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `person_erased`, `timeout`, `too_large`,
        `unsupported_media_type`.
        """
        return await self._send(_CREATE_STREAM_TICKET, key=idempotency_key)

    async def create_transaction(
        self, body: models.Purchase, *, idempotency_key: str | None = None
    ) -> Versioned[models.Transaction]:
        """Buy a product with a practitioner of its tier: the pair is locked (P1, P2), the provider asked after (P3).

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`,
        `malformed_json`, `number_too_large`, `own_practitioner`, `person_erased`, `practitioner_not_available`,
        `product_not_available`, `return_url_not_allowed`, `timeout`, `too_large`, `too_many_unpaid`,
        `unsupported_media_type`.
        """
        return await self._send(_CREATE_TRANSACTION, key=idempotency_key, body=body)

    async def create_webhook_endpoint(
        self, body: models.NewWebhookEndpoint, *, idempotency_key: str | None = None
    ) -> Versioned[models.WebhookEndpointWithSecret]:
        """Register an address. The secret in the answer is shown here alone; each delivery is signed by it.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`,
        `number_too_large`, `timeout`, `too_large`, `too_many_endpoints`, `unsupported_media_type`.
        """
        return await self._send(_CREATE_WEBHOOK_ENDPOINT, key=idempotency_key, body=body)

    async def delete_webhook_endpoint(
        self,
        endpoint_id: UUID | str,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[None]:
        """Delete an endpoint with its secrets and its deliveries; what waits for it is never sent.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `stale_version`.
        """
        return await self._send(
            _DELETE_WEBHOOK_ENDPOINT,
            {"endpoint_id": endpoint_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
        )

    async def fail_session(
        self,
        session_id: UUID | str,
        body: models.SessionFailure,
        *,
        wait: float | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Session]:
        """By an admin, also while it runs (S5).

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_consistency_token`,
        `invalid_idempotency_key`, `invalid_text`, `malformed_json`, `not_yet_visible`, `number_too_large`,
        `stale_version`, `timeout`, `too_large`, `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _FAIL_SESSION,
            {"session_id": session_id},
            query={"wait": wait},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    @overload
    async def get_assessment(
        self, assessment_id: UUID | str, *, if_none_match: None = None
    ) -> Versioned[models.Assessment]: ...

    @overload
    async def get_assessment(
        self, assessment_id: UUID | str, *, if_none_match: str | None
    ) -> Versioned[models.Assessment] | NotModified: ...

    async def get_assessment(
        self, assessment_id: UUID | str, *, if_none_match: str | None = None
    ) -> Versioned[models.Assessment] | NotModified:
        """The caller's own, or any for a service or admin."""
        return await self._send(
            _GET_ASSESSMENT, {"assessment_id": assessment_id}, headers={"If-None-Match": if_none_match}
        )

    @overload
    async def get_calendar_feed(
        self, token: str, *, if_none_match: None = None, accept_language: str | None = None
    ) -> Versioned[str]: ...

    @overload
    async def get_calendar_feed(
        self, token: str, *, if_none_match: str | None, accept_language: str | None = None
    ) -> Versioned[str] | NotModified: ...

    async def get_calendar_feed(
        self, token: str, *, if_none_match: str | None = None, accept_language: str | None = None
    ) -> Versioned[str] | NotModified:
        """The owner's calendar (RFC 5545, RFC 7986). Wrong, revoked and never made look the same."""
        return await self._send(
            _GET_CALENDAR_FEED,
            {"token": token},
            headers={"If-None-Match": if_none_match, "Accept-Language": accept_language},
        )

    @overload
    async def get_me(self, *, if_none_match: None = None) -> Versioned[models.Contact]: ...

    @overload
    async def get_me(self, *, if_none_match: str | None) -> Versioned[models.Contact] | NotModified: ...

    async def get_me(self, *, if_none_match: str | None = None) -> Versioned[models.Contact] | NotModified:
        """The caller's contact data, at first the token's claims.

        Also refused as `person_erased`.
        """
        return await self._send(_GET_ME, headers={"If-None-Match": if_none_match})

    @overload
    async def get_notification(
        self, notification_id: UUID | str, *, wait: float | None = None, if_none_match: None = None
    ) -> Versioned[models.Notification]: ...

    @overload
    async def get_notification(
        self, notification_id: UUID | str, *, wait: float | None = None, if_none_match: str | None
    ) -> Versioned[models.Notification] | NotModified: ...

    async def get_notification(
        self, notification_id: UUID | str, *, wait: float | None = None, if_none_match: str | None = None
    ) -> Versioned[models.Notification] | NotModified:
        """One message of the caller's own; an admin reads any.

        Also refused as `invalid_consistency_token`, `not_yet_visible`.
        """
        return await self._send(
            _GET_NOTIFICATION,
            {"notification_id": notification_id},
            query={"wait": wait},
            headers={"If-None-Match": if_none_match},
        )

    @overload
    async def get_practitioner(
        self, practitioner_id: UUID | str, *, if_none_match: None = None
    ) -> Versioned[models.Practitioner]: ...

    @overload
    async def get_practitioner(
        self, practitioner_id: UUID | str, *, if_none_match: str | None
    ) -> Versioned[models.Practitioner] | NotModified: ...

    async def get_practitioner(
        self, practitioner_id: UUID | str, *, if_none_match: str | None = None
    ) -> Versioned[models.Practitioner] | NotModified:
        """A profile.

        Also refused as `person_erased`.
        """
        return await self._send(
            _GET_PRACTITIONER, {"practitioner_id": practitioner_id}, headers={"If-None-Match": if_none_match}
        )

    async def get_practitioner_standing(self, practitioner_id: UUID | str) -> Answer[models.PractitionerStanding]:
        """One's own figures and places in the lists (L2), or anybody's for an admin.

        Also refused as `person_erased`.
        """
        return await self._send(_GET_PRACTITIONER_STANDING, {"practitioner_id": practitioner_id})

    @overload
    async def get_preferences(self, *, if_none_match: None = None) -> Versioned[models.Preferences]: ...

    @overload
    async def get_preferences(self, *, if_none_match: str | None) -> Versioned[models.Preferences] | NotModified: ...

    async def get_preferences(self, *, if_none_match: str | None = None) -> Versioned[models.Preferences] | NotModified:
        """The caller's preferences, or what holds without any."""
        return await self._send(_GET_PREFERENCES, headers={"If-None-Match": if_none_match})

    @overload
    async def get_product(self, product_id: UUID | str, *, if_none_match: None = None) -> Versioned[models.Product]: ...

    @overload
    async def get_product(
        self, product_id: UUID | str, *, if_none_match: str | None
    ) -> Versioned[models.Product] | NotModified: ...

    async def get_product(
        self, product_id: UUID | str, *, if_none_match: str | None = None
    ) -> Versioned[models.Product] | NotModified:
        """One product.

        Also refused as `person_erased`.
        """
        return await self._send(_GET_PRODUCT, {"product_id": product_id}, headers={"If-None-Match": if_none_match})

    @overload
    async def get_session(
        self,
        session_id: UUID | str,
        *,
        as_of: datetime | str | None = None,
        wait: float | None = None,
        if_none_match: None = None,
    ) -> Versioned[models.Session]: ...

    @overload
    async def get_session(
        self,
        session_id: UUID | str,
        *,
        as_of: datetime | str | None = None,
        wait: float | None = None,
        if_none_match: str | None,
    ) -> Versioned[models.Session] | NotModified: ...

    async def get_session(
        self,
        session_id: UUID | str,
        *,
        as_of: datetime | str | None = None,
        wait: float | None = None,
        if_none_match: str | None = None,
    ) -> Versioned[models.Session] | NotModified:
        """For its parties and admins; with `as_of` the fold of what was recorded by then (E5).

        Also refused as `invalid_consistency_token`, `not_yet_visible`.
        """
        return await self._send(
            _GET_SESSION,
            {"session_id": session_id},
            query={"as_of": as_of, "wait": wait},
            headers={"If-None-Match": if_none_match},
        )

    async def get_session_summary(self, *, wait: float | None = None) -> Answer[models.SessionSummary]:
        """For a badge: the caller's own in whatever role, an admin's everybody's.

        Also refused as `invalid_consistency_token`, `not_yet_visible`.
        """
        return await self._send(_GET_SESSION_SUMMARY, query={"wait": wait})

    @overload
    async def get_transaction(
        self,
        transaction_id: UUID | str,
        *,
        as_of: datetime | str | None = None,
        wait_for: Literal["paid"] | None = None,
        wait_for_seconds: float | None = None,
        wait: float | None = None,
        if_none_match: None = None,
    ) -> Versioned[models.Transaction]: ...

    @overload
    async def get_transaction(
        self,
        transaction_id: UUID | str,
        *,
        as_of: datetime | str | None = None,
        wait_for: Literal["paid"] | None = None,
        wait_for_seconds: float | None = None,
        wait: float | None = None,
        if_none_match: str | None,
    ) -> Versioned[models.Transaction] | NotModified: ...

    async def get_transaction(
        self,
        transaction_id: UUID | str,
        *,
        as_of: datetime | str | None = None,
        wait_for: Literal["paid"] | None = None,
        wait_for_seconds: float | None = None,
        wait: float | None = None,
        if_none_match: str | None = None,
    ) -> Versioned[models.Transaction] | NotModified:
        """One Transaction of the caller's, or any for an admin.

        Also refused as `invalid_consistency_token`, `not_yet_visible`, `person_erased`.
        """
        return await self._send(
            _GET_TRANSACTION,
            {"transaction_id": transaction_id},
            query={"as_of": as_of, "wait_for": wait_for, "wait_for_seconds": wait_for_seconds, "wait": wait},
            headers={"If-None-Match": if_none_match},
        )

    @overload
    async def get_webhook_delivery(
        self, delivery_id: UUID | str, *, if_none_match: None = None
    ) -> Versioned[models.WebhookDeliveryWithAttempts]: ...

    @overload
    async def get_webhook_delivery(
        self, delivery_id: UUID | str, *, if_none_match: str | None
    ) -> Versioned[models.WebhookDeliveryWithAttempts] | NotModified: ...

    async def get_webhook_delivery(
        self, delivery_id: UUID | str, *, if_none_match: str | None = None
    ) -> Versioned[models.WebhookDeliveryWithAttempts] | NotModified:
        """One delivery with its tries."""
        return await self._send(
            _GET_WEBHOOK_DELIVERY, {"delivery_id": delivery_id}, headers={"If-None-Match": if_none_match}
        )

    @overload
    async def get_webhook_endpoint(
        self, endpoint_id: UUID | str, *, if_none_match: None = None
    ) -> Versioned[models.WebhookEndpoint]: ...

    @overload
    async def get_webhook_endpoint(
        self, endpoint_id: UUID | str, *, if_none_match: str | None
    ) -> Versioned[models.WebhookEndpoint] | NotModified: ...

    async def get_webhook_endpoint(
        self, endpoint_id: UUID | str, *, if_none_match: str | None = None
    ) -> Versioned[models.WebhookEndpoint] | NotModified:
        """One endpoint: whether it is enabled, and since when it fails."""
        return await self._send(
            _GET_WEBHOOK_ENDPOINT, {"endpoint_id": endpoint_id}, headers={"If-None-Match": if_none_match}
        )

    def list_assessments(
        self, *, user_id: UUID | str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Pages[models.Assessment, models.AssessmentPage]:
        """Those that a session may be about.

        Also refused as `invalid_cursor`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(_LIST_ASSESSMENTS, query={"user_id": user_id, "limit": limit, "cursor": cursor})

        return Pages(read, cursor)

    def list_busy_intervals(
        self,
        *,
        practitioner_id: UUID | str,
        start: str,
        end: str,
        wait: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[models.BusyInterval, models.BusyIntervalPage]:
        """When this practitioner is taken, for choosing a time that is free; who and what for is nobody's business.
        Others see the times as practitioner alone, and 404 for whoever is none (E1); one's own, and any person's for
        an admin, are told in whatever role.

        Also refused as `invalid_consistency_token`, `invalid_cursor`, `invalid_time`, `not_yet_visible`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_BUSY_INTERVALS,
                query={
                    "practitioner_id": practitioner_id,
                    "start": start,
                    "end": end,
                    "wait": wait,
                    "limit": limit,
                    "cursor": cursor,
                },
            )

        return Pages(read, cursor)

    def list_calendar_events(
        self,
        *,
        start: str,
        end: str,
        practitioner_id: UUID | str | None = None,
        user_id: UUID | str | None = None,
        wait: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        accept_language: str | None = None,
    ) -> Pages[models.CalendarEvent, models.CalendarEventPage]:
        """The sessions that touch `[start, end)`, earliest first; canceled and failed ones stay, marked so (C1).
        Without a person the caller's own in whatever role (an admin's: everybody's). Others' calendars are an
        admin's.

        Also refused as `invalid_consistency_token`, `invalid_cursor`, `invalid_time`, `not_yet_visible`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_CALENDAR_EVENTS,
                query={
                    "start": start,
                    "end": end,
                    "practitioner_id": practitioner_id,
                    "user_id": user_id,
                    "wait": wait,
                    "limit": limit,
                    "cursor": cursor,
                },
                headers={"Accept-Language": accept_language},
            )

        return Pages(read, cursor)

    def list_calendar_feeds(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Pages[models.CalendarFeed, models.CalendarFeedPage]:
        """The caller's own feeds, newest first.

        Also refused as `invalid_cursor`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(_LIST_CALENDAR_FEEDS, query={"limit": limit, "cursor": cursor})

        return Pages(read, cursor)

    def list_notifications(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        wait: float | None = None,
        recipient_id: str | None = None,
        status: models.NotificationStatus | None = None,
        channel: models.NotificationChannel | None = None,
        session_id: UUID | str | None = None,
        transaction_id: UUID | str | None = None,
    ) -> Pages[models.Notification, models.NotificationPage]:
        """The caller's own messages, newest first; an admin's list holds everybody's, those to `admins` too.

        Also refused as `invalid_consistency_token`, `invalid_cursor`, `not_yet_visible`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_NOTIFICATIONS,
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "wait": wait,
                    "recipient_id": recipient_id,
                    "status": status,
                    "channel": channel,
                    "session_id": session_id,
                    "transaction_id": transaction_id,
                },
            )

        return Pages(read, cursor)

    def list_payment_reviews(
        self, *, status: models.ReviewStatus | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Pages[models.PaymentReview, models.PaymentReviewPage]:
        """All reviews, newest first.

        Also refused as `invalid_cursor`, `person_erased`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(_LIST_PAYMENT_REVIEWS, query={"status": status, "limit": limit, "cursor": cursor})

        return Pages(read, cursor)

    def list_practitioner_directory(
        self,
        *,
        ids: Sequence[UUID | str] | None = None,
        name: str | None = None,
        tier: str | None = None,
        active: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[models.Practitioner, models.PractitionerPage]:
        """All practitioners, also who takes no clients, by name: for admins. Members may read those of known `ids`.

        Also refused as `invalid_cursor`, `person_erased`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_PRACTITIONER_DIRECTORY,
                query={"ids": ids, "name": name, "tier": tier, "active": active, "limit": limit, "cursor": cursor},
            )

        return Pages(read, cursor)

    def list_practitioners(
        self, *, product_id: UUID | str, limit: int | None = None, cursor: str | None = None, wait: float | None = None
    ) -> Pages[models.RankedPractitioner, models.RankedPractitionerPage]:
        """Who can be chosen for a product, best first; each with the three figures that give the order (L1, L2).

        Also refused as `invalid_consistency_token`, `invalid_cursor`, `not_yet_visible`, `person_erased`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_PRACTITIONERS, query={"product_id": product_id, "limit": limit, "cursor": cursor, "wait": wait}
            )

        return Pages(read, cursor)

    def list_products(
        self,
        *,
        kind: models.ProductKind | None = None,
        tier: str | None = None,
        active: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[models.Product, models.ProductPage]:
        """The catalogue, newest first: what is sold now, and for an admin what is not, too.

        Also refused as `invalid_cursor`, `person_erased`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_PRODUCTS, query={"kind": kind, "tier": tier, "active": active, "limit": limit, "cursor": cursor}
            )

        return Pages(read, cursor)

    def list_session_history(
        self, session_id: UUID | str, *, limit: int | None = None, cursor: str | None = None
    ) -> Pages[models.SessionHistoryItem, models.SessionHistoryItemPage]:
        """Every event of the session, with the words that were not erased (E2).

        Also refused as `invalid_cursor`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_SESSION_HISTORY, {"session_id": session_id}, query={"limit": limit, "cursor": cursor}
            )

        return Pages(read, cursor)

    def list_sessions(
        self,
        *,
        status: Sequence[
            Literal["pending_negotiation", "scheduled", "on_progress", "completed", "canceled", "failed", "pending"]
        ]
        | None = None,
        start: datetime | str | date | None = None,
        end: datetime | str | date | None = None,
        ids: Sequence[UUID | str] | None = None,
        transaction_id: UUID | str | None = None,
        practitioner_id: UUID | str | None = None,
        user_id: UUID | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        wait: float | None = None,
    ) -> Pages[models.Session, models.SessionPage]:
        """`?status=pending_negotiation` is the waiting list: the earliest `respond_by` first (E1).

        Also refused as `invalid_consistency_token`, `invalid_cursor`, `invalid_time`, `not_yet_visible`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_SESSIONS,
                query={
                    "status": status,
                    "start": start,
                    "end": end,
                    "ids": ids,
                    "transaction_id": transaction_id,
                    "practitioner_id": practitioner_id,
                    "user_id": user_id,
                    "limit": limit,
                    "cursor": cursor,
                    "wait": wait,
                },
            )

        return Pages(read, cursor)

    def list_transaction_history(
        self, transaction_id: UUID | str, *, limit: int | None = None, cursor: str | None = None
    ) -> Pages[models.TransactionHistoryItem, models.TransactionHistoryItemPage]:
        """Who did what, when: for the member, the practitioner and admins (E2).

        Also refused as `invalid_cursor`, `person_erased`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_TRANSACTION_HISTORY, {"transaction_id": transaction_id}, query={"limit": limit, "cursor": cursor}
            )

        return Pages(read, cursor)

    def list_transactions(
        self,
        *,
        ids: Sequence[UUID | str] | None = None,
        status: models.TransactionStatus | None = None,
        user_id: UUID | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        wait: float | None = None,
    ) -> Pages[models.Transaction, models.TransactionPage]:
        """The caller's own, an admin's all; newest first.

        Also refused as `invalid_consistency_token`, `invalid_cursor`, `not_yet_visible`, `person_erased`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_TRANSACTIONS,
                query={
                    "ids": ids,
                    "status": status,
                    "user_id": user_id,
                    "limit": limit,
                    "cursor": cursor,
                    "wait": wait,
                },
            )

        return Pages(read, cursor)

    def list_webhook_deliveries(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        endpoint_id: UUID | str | None = None,
        webhook_id: UUID | str | None = None,
        status: Literal["pending", "sending", "delivered", "failed"] | None = None,
    ) -> Pages[models.WebhookDelivery, models.WebhookDeliveryPage]:
        """What was delivered, waits or failed in the last 31 days, newest first.

        Also refused as `invalid_cursor`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(
                _LIST_WEBHOOK_DELIVERIES,
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "endpoint_id": endpoint_id,
                    "webhook_id": webhook_id,
                    "status": status,
                },
            )

        return Pages(read, cursor)

    def list_webhook_endpoints(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Pages[models.WebhookEndpoint, models.WebhookEndpointPage]:
        """All endpoints, newest first.

        Also refused as `invalid_cursor`.
        """

        async def read(cursor: str | None) -> Answer[Any]:
            return await self._send(_LIST_WEBHOOK_ENDPOINTS, query={"limit": limit, "cursor": cursor})

        return Pages(read, cursor)

    async def put_assessment(
        self,
        assessment_id: UUID | str,
        body: models.AssessmentCompletion,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Assessment]:
        """Create (201) or change (200) it, for the assessment service, where that does not write its topic (R1). What
        it changes is told there.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`,
        `number_too_large`, `other_owner`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(
            _PUT_ASSESSMENT,
            {"assessment_id": assessment_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def put_me(
        self,
        body: models.ContactChange,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Contact]:
        """Change one's contact data.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`,
        `number_too_large`, `person_erased`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(
            _PUT_ME, headers={"If-Match": if_match, "If-None-Match": if_none_match}, key=idempotency_key, body=body
        )

    async def put_practitioner(
        self,
        practitioner_id: UUID | str,
        body: models.PractitionerChange,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Practitioner]:
        """Create (201) or change (200) a profile: one's own, or any for an admin.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`,
        `number_too_large`, `person_erased`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(
            _PUT_PRACTITIONER,
            {"practitioner_id": practitioner_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def put_preferences(
        self,
        body: models.PreferencesChoice,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Preferences]:
        """Choose channels; holds for every message that leaves from now on.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`,
        `number_too_large`, `person_erased`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(
            _PUT_PREFERENCES,
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def put_product(
        self,
        product_id: UUID | str,
        body: models.ProductDefinition,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Product]:
        """Create (201) or change (200) a product; what was sold before stays as it was sold (P1).

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`,
        `number_too_large`, `person_erased`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(
            _PUT_PRODUCT,
            {"product_id": product_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def put_webhook_endpoint(
        self,
        endpoint_id: UUID | str,
        body: models.WebhookEndpointChange,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.WebhookEndpoint]:
        """Change address and event types, disable or enable it. Once enabled again it gets what has waited for it.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`,
        `number_too_large`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(
            _PUT_WEBHOOK_ENDPOINT,
            {"endpoint_id": endpoint_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def reassign_transaction(
        self,
        transaction_id: UUID | str,
        body: models.Reassignment,
        *,
        wait: float | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Transaction]:
        """Give it to another practitioner, while no session runs or is complete (P2).

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_consistency_token`,
        `invalid_idempotency_key`, `invalid_text`, `malformed_json`, `not_yet_visible`, `number_too_large`,
        `own_practitioner`, `person_erased`, `practitioner_not_available`, `refund_in_progress`, `same_practitioner`,
        `session_started`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _REASSIGN_TRANSACTION,
            {"transaction_id": transaction_id},
            query={"wait": wait},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def refund_transaction(
        self,
        transaction_id: UUID | str,
        body: models.RefundRequest,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Transaction]:
        """Return the whole payment; the status stays `paid` until the provider has done it (P5).

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`,
        `malformed_json`, `not_refundable`, `number_too_large`, `person_erased`, `refund_in_progress`,
        `stale_version`, `timeout`, `too_large`, `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _REFUND_TRANSACTION,
            {"transaction_id": transaction_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def request_session(
        self,
        body: models.SessionRequest,
        *,
        wait: float | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Session]:
        """It waits for the practitioner's time; its member gets a link to chat (R1 to R3).

        Also refused as `active_session_exists`, `changed_meanwhile`, `idempotency_key_reused`,
        `invalid_consistency_token`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`, `not_yet_visible`,
        `number_too_large`, `stale_version`, `timeout`, `too_large`, `transaction_not_paid`, `transaction_used`,
        `unsupported_media_type`.
        """
        return await self._send(
            _REQUEST_SESSION,
            query={"wait": wait},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def reschedule_session(
        self,
        session_id: UUID | str,
        body: models.SessionSchedule,
        *,
        if_match: str,
        wait: float | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Session]:
        """The whole schedule anew, decided on the version that `If-Match` names (S7).

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_consistency_token`,
        `invalid_idempotency_key`, `invalid_link`, `invalid_text`, `invalid_time`, `malformed_json`,
        `not_yet_visible`, `number_too_large`, `overlap`, `precondition_required`, `stale_version`, `timeout`,
        `too_large`, `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _RESCHEDULE_SESSION,
            {"session_id": session_id},
            query={"wait": wait},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def resend_notification(
        self,
        notification_id: UUID | str,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Notification]:
        """Send a settled message again. A reminder whose session has moved since is skipped again (N4).

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `stale_version`, `timeout`, `too_large`,
        `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _RESEND_NOTIFICATION,
            {"notification_id": notification_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
        )

    async def resend_webhook_delivery(
        self,
        delivery_id: UUID | str,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.WebhookDelivery]:
        """Send it now, whatever became of it before, with the same `webhook-id` and all its tries anew.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `stale_version`, `timeout`, `too_large`,
        `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _RESEND_WEBHOOK_DELIVERY,
            {"delivery_id": delivery_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
        )

    async def revoke_calendar_feed(self, feed_id: UUID | str, *, idempotency_key: str | None = None) -> Answer[None]:
        """Revoke an own feed: its address answers 404 from now on, and nothing brings it back.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`.
        """
        return await self._send(_REVOKE_CALENDAR_FEED, {"feed_id": feed_id}, key=idempotency_key)

    async def rotate_webhook_secret(
        self,
        endpoint_id: UUID | str,
        body: models.NewWebhookSecret,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.WebhookEndpointWithSecret]:
        """A new secret, shown here alone. For a while each delivery has two signatures, the old secret's too.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `invalid_text`, `malformed_json`,
        `number_too_large`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(
            _ROTATE_WEBHOOK_SECRET,
            {"endpoint_id": endpoint_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def schedule_session(
        self,
        session_id: UUID | str,
        body: models.SessionSchedule,
        *,
        wait: float | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Session]:
        """The session is `scheduled` after it; neither party is ever in two places (S4).

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_consistency_token`,
        `invalid_idempotency_key`, `invalid_link`, `invalid_text`, `invalid_time`, `malformed_json`,
        `not_yet_visible`, `number_too_large`, `overlap`, `stale_version`, `timeout`, `too_large`,
        `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _SCHEDULE_SESSION,
            {"session_id": session_id},
            query={"wait": wait},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def settle_payment_review(
        self,
        review_id: UUID | str,
        body: models.ReviewSettlement,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.PaymentReview]:
        """Return the money, or dismiss the review.

        Also refused as `already_settled`, `changed_meanwhile`, `idempotency_key_reused`, `invalid_idempotency_key`,
        `invalid_text`, `malformed_json`, `not_refundable`, `number_too_large`, `person_erased`,
        `refund_in_progress`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`.
        """
        return await self._send(
            _SETTLE_PAYMENT_REVIEW,
            {"review_id": review_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )

    async def start_session(
        self,
        session_id: UUID | str,
        *,
        wait: float | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Session]:
        """By its practitioner, where the product does not start its sessions by itself.

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_consistency_token`,
        `invalid_idempotency_key`, `not_yet_visible`, `stale_version`, `timeout`, `too_large`,
        `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _START_SESSION,
            {"session_id": session_id},
            query={"wait": wait},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
        )

    def stream_changes(
        self, *, after: str | None = None, last_event_id: str | None = None
    ) -> AsyncIterator[httpx2.ServerSentEvent]:
        """What happens to Transactions and sessions: the caller's own, an admin's all; as long as the token is valid
        that was sent or that the ticket was made with. First comes `ready`. With `resumed` true there follows what
        was missed since `Last-Event-ID`, which may be 24 hours; else read what you show, once.

        Also refused as `invalid_ticket`, `person_erased`, `ticket_expired`, `ticket_used`.
        """
        return self._stream(_STREAM_CHANGES, query={"after": after}, headers={"Last-Event-ID": last_event_id})

    async def test_webhook_endpoint(
        self,
        endpoint_id: UUID | str,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.WebhookDelivery]:
        """Send a test, signed as every delivery is; its type is `com.booking.notifier.WebhookTest.v1`.

        Also refused as `idempotency_key_reused`, `invalid_idempotency_key`, `stale_version`, `timeout`, `too_large`,
        `unsupported_media_type`, `wrong_status`.
        """
        return await self._send(
            _TEST_WEBHOOK_ENDPOINT,
            {"endpoint_id": endpoint_id},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
        )

    async def upload_session_result(
        self,
        session_id: UUID | str,
        body: models.SessionResult,
        *,
        wait: float | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Versioned[models.Session]:
        """The session is `completed` after it; a second upload replaces the first.

        Also refused as `changed_meanwhile`, `idempotency_key_reused`, `invalid_consistency_token`,
        `invalid_idempotency_key`, `invalid_link`, `invalid_text`, `invalid_time`, `malformed_json`,
        `not_yet_visible`, `number_too_large`, `stale_version`, `timeout`, `too_large`, `unsupported_media_type`,
        `wrong_status`.
        """
        return await self._send(
            _UPLOAD_SESSION_RESULT,
            {"session_id": session_id},
            query={"wait": wait},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            key=idempotency_key,
            body=body,
        )
