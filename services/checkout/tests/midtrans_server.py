"""Midtrans as the tests need it: a real HTTP server on loopback that can be down, slow, lying or huge."""

import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

SERVER_KEY = "SB-Mid-server-test"
CODES = {"pending": "201", "deny": "202", "cancel": "202", "expire": "202", "failure": "202"}  # of notifications


@dataclass
class MidtransServer:
    """`mode`: ok, down (503), reject (412 for refunds and cancels), denied (202 for refunds: the bank says no), html,
    huge, flood (without an end), drip (a byte at a time, without an end), redirect, elsewhere (a page on another host),
    lost (does as asked, then drops the connection)."""

    address: str = ""
    mode: str = "ok"
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: int = 0

    def notification(self, reference: str, status: str = "settlement", **more: Any) -> dict[str, Any]:
        """A signed notification of one payment of this order."""
        body: dict[str, Any] = {
            "order_id": reference,
            "status_code": CODES.get(status, "200"),
            "gross_amount": "250000.00",
            "currency": "IDR",
            "transaction_id": f"pay-{reference}",
            "transaction_status": status,
            "fraud_status": "accept",
            **more,
        }
        plain = f"{body['order_id']}{body['status_code']}{body['gross_amount']}{SERVER_KEY}"
        return {**body, "signature_key": hashlib.sha512(plain.encode()).hexdigest()}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What it says to a call."""
        if path == "/snap/v1/transactions":
            reference = body["transaction_details"]["order_id"]
            self.orders.setdefault(reference, {})
            self.asked[reference] = body
            host = "http://evil.example" if self.mode == "elsewhere" else self.address
            return 201, {"token": "t", "redirect_url": f"{host}/snap/v4/redirection/{uuid4()}"}
        reference = path.split("/")[2]
        if path.endswith("/status"):
            return self._status(reference)
        if path.endswith("/cancel"):
            return self._cancel(reference)
        return self._refund(reference, body)

    def _status(self, reference: str) -> tuple[int, dict[str, Any]]:
        known = self.orders.get(reference)
        refunds = [one for one in self.refunds.values() if one["order_id"] == reference]
        if not known and not refunds:
            return 200, {"status_code": "404", "status_message": "Transaction doesn't exist."}
        return 200, {**(known or self.notification(reference)), "refunds": refunds}

    def _cancel(self, reference: str) -> tuple[int, dict[str, Any]]:
        order = self.orders.get(reference) or {}
        if self.mode == "reject" or order.get("transaction_status") not in ("pending", "authorize", "capture"):
            return 200, {"status_code": "412", "status_message": "Merchant cannot modify the status"}
        self.orders[reference] = {**order, "status_code": "200", "transaction_status": "cancel"}
        return 200, self.orders[reference]

    def _refund(self, reference: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        known = (self.orders.get(reference) or {}).get("transaction_status", "settlement")
        if self.mode == "denied":
            return 200, {"status_code": "202", "transaction_status": "settlement", "refund_amount": "0.00"}
        if self.mode == "reject" or known not in ("settlement", "partial_refund", "partial_chargeback"):
            return 200, {"status_code": "412", "status_message": "Merchant cannot modify the status"}
        key = body["refund_key"]
        if key in self.refunds:
            return 200, {"status_code": "406", "status_message": "Duplicate refund key"}
        self.refunds[key] = {"refund_key": key, "order_id": reference, "refund_amount": str(body["amount"])}
        return 200, {"status_code": "200", "refund_key": key, "transaction_status": "refund"}


@contextmanager
def midtrans_server() -> Generator[MidtransServer]:  # noqa: C901 - one branch a mode
    """A running one."""
    provider = MidtransServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._serve("GET")

        def do_POST(self):
            self._serve("POST")

        def _serve(self, method: str):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            provider.calls.append((method, self.path))
            if provider.mode == "down":
                self._send(503, b"{}")
                return
            if provider.mode == "redirect":
                self.send_response(302)
                self.send_header("Location", f"{provider.address}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if provider.mode == "html":
                self._send(200, b"<html>maintenance</html>")
                return
            if provider.mode == "huge":
                self._send(200, b'{"a": "' + b"x" * 1_000_000 + b'"}')
                return
            if provider.mode in ("flood", "drip"):
                self._never_end()
                return
            status, said = provider.answer(method, self.path, body)
            if provider.mode == "lost":
                self.close_connection = True
                self.connection.close()
                return
            self._send(status, json.dumps(said).encode())

        def _never_end(self):
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            part = b'"' + b"x" * (65_536 if provider.mode == "flood" else 1)
            while provider.mode in ("flood", "drip"):
                self.wfile.write(part)
                provider.sent += len(part)
                if provider.mode == "drip":
                    threading.Event().wait(0.02)

        def _send(self, status: int, body: bytes):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any):  # noqa: A002 - the base class's
            pass

        def handle(self):
            with suppress(OSError, ValueError):
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield provider
        server.shutdown()
        thread.join()
