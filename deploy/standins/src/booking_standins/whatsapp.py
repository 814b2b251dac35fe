"""Meta's WhatsApp Cloud API: takes messages and tells their fate by signed webhooks.

Run by `python -m booking_standins.whatsapp`.

`POST /v{n}/{phone_number_id}/messages` as Meta's; `GET`/`DELETE /messages`, `GET`/`PUT /behaviour`, and
`POST /statuses {"id": "wamid...", "status": "read"}` to send a status by hand.
Settings: WHATSAPP_PHONE_NUMBER_ID, WHATSAPP_TOKEN, WHATSAPP_APP_SECRET, WEBHOOK_URL (none: no webhooks),
WHATSAPP_VERIFY_TOKEN (none: the webhook is taken as verified; else no status is told before the handshake),
WHATSAPP_TEMPLATES (a file of the approved templates as the notifier has them; none: any is taken).
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from booking_standins.cloud_api import Approved, error, refused_message, status_error, verified
from booking_standins.serving import Behaviour, Received, answered, application, serve, setting, state_file
from booking_standins.webhooks import Webhooks

_REFUSING = {"down": 131016, "throttle": 130429, "reject": 131026}
"""The mode's error code, unless the behaviour names another."""


class WhatsApp:
    """One business number. What it took is in `received`; a webhook per step tells its fate."""

    def __init__(self, received: Received, webhooks: Webhooks, behaviour: Behaviour) -> None:
        self.received = received
        self.behaviour = behaviour
        self._webhooks = webhooks
        self._phone_number_id = setting("WHATSAPP_PHONE_NUMBER_ID", "100000000000001")
        self._token = setting("WHATSAPP_TOKEN")
        self._secret = setting("WHATSAPP_APP_SECRET")
        self._webhook = setting("WEBHOOK_URL")
        self._approved = Approved.read(setting("WHATSAPP_TEMPLATES"))

    async def take(self, request: Request) -> Response:
        """`POST /v{n}/{phone_number_id}/messages`."""
        try:
            body: Any = await request.json()
        except ValueError:
            return error(100, "The request body is not JSON")
        refused = self._refusal(request, body)
        if refused is not None:
            return refused
        mode = self.behaviour.take(body["to"])
        if mode in _REFUSING:
            code = self.behaviour.code if mode != "down" else None
            return error(code or _REFUSING[mode], retry_after=1 if mode == "throttle" else None)
        failing = (self.behaviour.code or 131031) if mode == "fail_later" else None
        return await answered(request, self.behaviour, mode, lambda: self._accept(body, failing=failing))

    def tell(self, wamid: str, status: str, *, code: int | None = None, after: float = 0.0) -> bool:
        """Sends a status webhook for a message it has; False for one it hasn't."""
        found = next((item for item in self.received.items if item["wamid"] == wamid), None)
        if found is None:
            return False
        self._tell(found, status, code=code, after=after)
        return True

    def _tell(self, found: dict[str, Any], status: str, *, code: int | None = None, after: float = 0.0) -> None:
        if self._webhook:
            raw = json.dumps(self._status(found, status, code), separators=(",", ":")).encode()
            signature = hmac.new(self._secret.encode(), raw, hashlib.sha256).hexdigest()
            self._webhooks.send(self._webhook, raw, {"X-Hub-Signature-256": f"sha256={signature}"}, after=after)

    def _refusal(self, request: Request, body: Any) -> Response | None:
        if self._token and request.headers.get("authorization") != f"Bearer {self._token}":
            return error(190)
        if request.path_params["phone"] != self._phone_number_id:
            return error(100, f"Object with ID '{request.path_params['phone']}' does not exist")
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            return error(100, "The parameter messaging_product is required.")
        return refused_message(body) or self._approved.refusal(body)

    def _accept(self, body: dict[str, Any], *, failing: int | None = None) -> Response:
        number = body["to"].lstrip("+")
        wamid = "wamid." + base64.b64encode(b"\x01" + number.encode() + secrets.token_bytes(12)).decode()
        received = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        item = {**body, "wamid": wamid, "received_at": received}
        self.received.append(item)
        if failing is not None:
            self._tell(item, "failed", code=failing, after=0.2)
        for step, name in enumerate(("sent", "delivered") if failing is None else ()):
            self._tell(item, name, after=0.2 + 0.3 * step)
        message: dict[str, Any] = {"id": wamid}
        if body.get("type") == "template":
            message["message_status"] = "accepted"
        return JSONResponse(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": body["to"], "wa_id": number}],
                "messages": [message],
            }
        )

    def _status(self, message: dict[str, Any], status: str, code: int | None) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "id": message["wamid"],
            "status": status,
            "timestamp": str(int(time.time())),
            "recipient_id": message["to"].lstrip("+"),
        }
        if "biz_opaque_callback_data" in message:
            entry["biz_opaque_callback_data"] = message["biz_opaque_callback_data"]
        if code is not None:
            entry["errors"] = [status_error(code)]
        metadata = {"display_phone_number": "6281100000001", "phone_number_id": self._phone_number_id}
        value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": [entry]}
        return {
            "object": "whatsapp_business_account",
            "entry": [{"id": "200000000000001", "changes": [{"value": value, "field": "messages"}]}],
        }


def build() -> ASGIApp:
    webhooks, behaviour = Webhooks(state_file("whatsapp-webhooks.jsonl")), Behaviour()
    received = Received(state_file("whatsapp.jsonl"))
    whatsapp = WhatsApp(received, webhooks, behaviour)

    async def status(request: Request) -> Response:
        wish = await request.json()
        known = whatsapp.tell(wish["id"], wish["status"], code=wish.get("code"))
        return Response(status_code=202 if known else 404)

    async def handshake() -> None:
        if (token := setting("WHATSAPP_VERIFY_TOKEN")) and (url := setting("WEBHOOK_URL")):
            await verified(url, token)

    return application(
        [
            Route("/v{version}/{phone}/messages", whatsapp.take, methods=["POST"]),
            Route("/statuses", status, methods=["POST"]),
            *received.routes(),
            *behaviour.routes(),
        ],
        lambda _: webhooks.delivering(handshake),
    )


if __name__ == "__main__":
    serve(build())
