"""Messages told of many sessions: as many sent as were decided, none twice. `python -m benchmarks.messages`

A stack of its own, filled by `booking seed` with sessions that all go on now, so that every event asks for messages
(the notifier is made a month older for it, or it would take them for history). Once nothing is due any more, three
independent records are compared: what stored events ask for by rule N1 (`booking-ops audit`), the notifier's ledger,
and what the stand-ins were really handed: mails by Message-ID, WhatsApp by the notification's id that it carries.
Only WhatsApp's pace per person is switched off, or each practitioner's phone would take hours.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from booking_local.layout import Layout

_LEDGER = "SELECT channel, state, count(*) FROM notification GROUP BY channel, state ORDER BY channel, state"
_DUE = "SELECT count(*) FROM notification WHERE state IN ('pending', 'sending') AND due_at <= now()"
_BEHIND = "SELECT count(*) FROM outbox"
_CALM_SECONDS = 6.0


def booking(state: Path, *words: str) -> str:
    """One command of the stack; its output. Raises CalledProcessError."""
    command = [sys.executable, "-m", "booking_local", *words, "--state", str(state)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def until_told(notifier_url: str, others: list[str], patience: float) -> None:
    """Wait until every outbox is empty and no message is due, and that for some seconds. Raises TimeoutError."""
    deadline, calm_since, shown = time.monotonic() + patience, None, 0.0
    with psycopg.connect(notifier_url, autocommit=True) as notifier:
        while calm_since is None or time.monotonic() - calm_since < _CALM_SECONDS:
            if time.monotonic() > deadline:
                raise TimeoutError(f"messages are still due after {patience:.0f} s")
            waiting = sum(_one(url, _BEHIND) for url in others)
            due = _scalar(notifier, _DUE)
            calm_since = (calm_since or time.monotonic()) if due == waiting == 0 else None
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"  {due:,} messages due, {waiting:,} events to publish", file=sys.stderr, flush=True)
            time.sleep(0.5)


def _one(url: str, sql: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        return _scalar(conn, sql)


def _scalar(conn: psycopg.Connection[Any], sql: str) -> int:
    row = conn.execute(sql.encode()).fetchone()
    return 0 if row is None else row[0]


def handed_over(state: Path) -> dict[str, Counter[str]]:
    """What the stand-ins took, per channel: how often each message came."""
    folder = state / "standins"

    def told(name: str, key: str) -> Counter[str]:
        with (folder / name).open(encoding="utf-8") as lines:
            return Counter(json.loads(line)[key] for line in lines)

    return {
        "email": told("mailbox.jsonl", "message_id"),
        "whatsapp": told("whatsapp.jsonl", "biz_opaque_callback_data"),
    }


def tell(state: Path, sessions: int, patience: float) -> tuple[dict[str, int], float]:
    """Fill, and wait until all is told; the ledger's messages by channel and state, and the seconds that it took."""
    practitioners, members = max(20, sessions // 20), max(50, sessions // 2)
    endpoints = json.loads((state / "endpoints.json").read_text())
    with psycopg.connect(endpoints["postgres"]["notifier"]) as notifier:
        notifier.execute("UPDATE installation SET send_from = send_from - interval '30 days'")
    began = time.monotonic()
    size = ["--sessions", str(sessions), "--practitioners", str(practitioners), "--members", str(members)]
    seeded = json.loads(booking(state, "seed", "--months", "0", *size, "--json"))
    counted = {what: count for what, count in seeded.items() if what != "people"}
    print(f"  seeded {counted}", file=sys.stderr, flush=True)
    until_told(endpoints["postgres"]["notifier"], list(endpoints["postgres"].values()), patience)
    seconds = time.monotonic() - began
    with psycopg.connect(endpoints["postgres"]["notifier"]) as notifier:
        ledger = notifier.execute(_LEDGER).fetchall()
    return {f"{channel} {state_}": n for channel, state_, n in ledger}, seconds


def sent_of(ledger: dict[str, int]) -> dict[str, int]:
    """How many were sent, by channel."""
    return {
        channel: sum(ledger.get(f"{channel} {state}", 0) for state in ("sent", "delivered"))
        for channel in ("email", "whatsapp")
    }


def measure(state: Path, sessions: int, patience: float) -> dict[str, Any]:
    """Fill, wait, count; the figures."""
    ledger, seconds = tell(state, sessions, patience)
    sent, taken = sent_of(ledger), handed_over(state)
    audit = json.loads(booking(state, "audit", "--json"))
    return {
        "sessions": sessions,
        "seconds": round(seconds, 1),
        "messages_per_second": round(sum(sent.values()) / seconds, 1),
        "ledger": ledger,
        "sent": sent,
        "handed_over": {channel: sum(counts.values()) for channel, counts in taken.items()},
        "different": {channel: len(counts) for channel, counts in taken.items()},
        "twice": {channel: sum(n > 1 for n in counts.values()) for channel, counts in taken.items()},
        "audit_proven": audit["proven"],
    }


def main() -> int:
    """0 when sent equals decided and nothing came twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--patience", type=float, default=3600, help="seconds until the last message must have left")
    parser.add_argument("--write", type=Path, help="a file for the figures, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="booking-bench-") as folder:
        Path(folder).chmod(0o755)
        state = Path(folder) / "state"
        settings = Layout(state).settings_of("notifier")
        settings.parent.mkdir(parents=True)
        settings.write_text("WHATSAPP_PACE_SECONDS=0\n")
        booking(state, "up", "--detach")
        try:
            figures = measure(state, options.sessions, options.patience)
        finally:
            booking(state, "down")
    print(json.dumps(figures, indent=1))
    if options.write:
        options.write.write_text(json.dumps(figures, indent=1) + "\n")
    equal = figures["sent"] == figures["handed_over"] == figures["different"]
    return 0 if equal and figures["audit_proven"] else 1


if __name__ == "__main__":
    sys.exit(main())
