"""`booking webhooks listen`: the webhooks of this stack as they come, and the same to a receiver that is being written.

It registers an address of its own, verifies each delivery by the specification's library, and deletes the address at
the end. What it forwards is what it got, byte for byte, with the headers that are signed.
"""

import json
import os
import re
import signal
import threading
import time
from contextlib import suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.commands.operator import ask
from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_local.servers import process

webhooks = typer.Typer(no_args_is_help=True, help="Webhooks, as a gateway receives them.")
_PATH = "/v1/webhook-endpoints"
_NAME = "booking webhooks listen, process {pid}"
_OURS = re.compile(r"booking webhooks listen, process ([0-9]+)")
_MOST_BYTES = 1_048_576
_PATIENCE = 10.0
"""Seconds for the answer that we forward to; less than the notifier waits for ours."""
_SIGNED = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")


@webhooks.callback()
def _webhooks() -> None:
    """Webhooks, as a gateway receives them."""


@webhooks.command()
def listen(
    *,
    forward_to: Annotated[
        str | None, typer.Option(help="Post each delivery there as well, with its signature untouched.")
    ] = None,
    event: Annotated[
        list[str] | None, typer.Option(help="Only this type, such as TransactionPaid; may be repeated [default: all].")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Begin with a test delivery.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show each webhook of this stack as it comes, until Ctrl-C, and forward it to a receiver on this machine.

    What the receiver answers is what the stack gets told: anything but a 2xx is tried again, as in earnest. Without a
    receiver every delivery is accepted.
    """
    layout, types = layout_of(state), _types(event or [])
    _check(forward_to)
    with _Listener(("127.0.0.1", 0), forward_to, as_json=as_json) as listener:
        _forget_dead_ones(layout)
        wanted = {"url": listener.url, "event_types": types, "description": _NAME.format(pid=os.getpid())}
        endpoint = ask(layout, "notifier", "POST", _PATH, body=wanted)
        listener.secret = endpoint["secret"]
        try:
            _listen(layout, listener, endpoint, forward_to, test=test)
        finally:
            with suppress(LookupError):  # an admin deleted it
                ask(layout, "notifier", "DELETE", f"{_PATH}/{endpoint['id']}")


def _listen(
    layout: Layout, listener: "_Listener", endpoint: dict[str, Any], forward_to: str | None, *, test: bool
) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        # Not from here: whoever serves would wait for himself.
        threading.Thread(target=listener.shutdown).start()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    if not listener.as_json:
        where = f" and forwards to {forward_to}" if forward_to else ""
        print(f"Listens at {listener.url}{where}, Ctrl-C ends it. The signing secret of this time:")
        print(f"  {endpoint['secret']}", flush=True)
    if test:
        ask(layout, "notifier", "POST", f"{_PATH}/{endpoint['id']}/test")
    listener.serve_forever(poll_interval=0.1)


def _types(names: list[str]) -> list[str]:
    """The CloudEvents types of these names; all that are on offer for none."""
    from booking_contracts.topics import ERASURES, SESSIONS, TRANSACTIONS

    offered = {event.TYPE: event.full_type() for topic in (TRANSACTIONS, SESSIONS, ERASURES) for event in topic.events}
    unknown = [name for name in names if name not in offered and name not in offered.values()]
    if unknown:
        raise Failure(f"There is no event {unknown[0]}: it is one of {', '.join(offered)}.")
    return list(dict.fromkeys(offered.get(name, name) for name in names or offered))


def _check(forward_to: str | None) -> None:
    try:
        parts = urlsplit(forward_to or "http://nobody")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        usable = False
    if not usable:
        raise Failure(f"--forward-to {forward_to} is no address: give one like http://127.0.0.1:4000/webhooks.")


def _forget_dead_ones(layout: Layout) -> None:
    """Deletes the addresses of listeners that were killed: nobody is there any more."""
    for endpoint in ask(layout, "notifier", "GET", f"{_PATH}?limit=200")["items"]:
        found = _OURS.fullmatch(endpoint["description"] or "")
        if found is not None and process.birth(int(found[1])) is None:
            with suppress(LookupError):
                ask(layout, "notifier", "DELETE", f"{_PATH}/{endpoint['id']}")


class _Listener(ThreadingHTTPServer):
    """Receives what the stack delivers."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], forward_to: str | None, *, as_json: bool) -> None:
        super().__init__(address, _Handler)
        self.forward_to = forward_to
        self.as_json = as_json
        self.secret = ""
        self._printing = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """The status to answer, once the delivery is verified, forwarded and shown."""
        from standardwebhooks import Webhook, WebhookVerificationError

        try:
            event = Webhook(self.secret).verify(body, headers)
        except (WebhookVerificationError, ValueError):
            self._print({"error": "a request without a good signature"}, "refused  a request without a good signature")
            return 401
        began = time.monotonic()
        status, said = (204, "") if self.forward_to is None else _forwarded(self.forward_to, headers, body)
        self._show(headers["webhook-id"], event, status, said, time.monotonic() - began)
        return status

    def _show(self, webhook_id: str, event: dict[str, Any], status: int, said: str, seconds: float) -> None:
        name = event["type"].split(".")[-2]
        answer = "" if self.forward_to is None else f"  {said or status}  {1000 * seconds:.0f} ms"
        line = f"{datetime.now().astimezone():%H:%M:%S}  {name:<22}  {webhook_id}  verified{answer}"
        forwarded = {} if self.forward_to is None else {"status_code": None if said else status}
        self._print({"webhook_id": webhook_id, "verified": True, **forwarded, "event": event}, line)

    def _print(self, data: dict[str, Any], line: str) -> None:
        with self._printing:
            print(json.dumps(data) if self.as_json else line, flush=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = 30

    def do_POST(self) -> None:
        """One delivery."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self._answer(413)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(cast("_Listener", self.server).take(headers, self.rfile.read(int(length))))

    def _answer(self, status: int) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: each delivery is shown in its own way."""


def _forwarded(url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """What the receiver answers; 502, and why, where it does not."""
    import httpx2

    signed = {name: headers[name] for name in _SIGNED if name in headers}
    try:
        with httpx2.Client(trust_env=False, timeout=_PATIENCE) as http:
            return http.post(url, content=body, headers=signed).status_code, ""
    except httpx2.HTTPError as broken:
        return 502, f"no answer of {url} ({type(broken).__name__})"
