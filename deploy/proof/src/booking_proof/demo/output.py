"""How the demo looks: a heading per step, and below it the way from the HTTP call to the calendar."""

import re
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from booking_proof.demo.system import Answer, Seen

_COLOURS = {
    "HTTP": "cyan",
    "store": "green",
    "Kafka": "magenta",
    "email": "yellow",
    "WhatsApp": "yellow",
    "calendar": "blue",
}

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Output:
    """Prints to one console; plain text where that is no terminal."""

    def __init__(self, names: dict[str, str]) -> None:
        terminal = Console()
        self.console = Console(highlight=False, soft_wrap=True, width=max(terminal.width, 110))
        self._names = names
        self._number = 0

    def step(self, sentence: str) -> None:
        self._number += 1
        self.console.print()
        self.console.print(Text(f"{self._number}. {sentence}", style="bold"))

    def line(self, where: str, text: str) -> None:
        self.console.print(Text.assemble((f"  {where:<9} ", _COLOURS.get(where, "white")), text))

    def call(self, answer: Answer, service: str, note: str = "") -> None:
        told = (
            f"{answer.method} {self.readable(answer.path)} → {answer.status}  ({service}, {answer.milliseconds:.0f} ms)"
        )
        self.line("HTTP", f"{told}  {note}".rstrip())

    def events(self, database: str, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.line("store", f"{row['type']} version {row['version']} by {self.readable(row['actor'])}  ({database})")

    def records(self, records: list[Seen]) -> None:
        for one in records:
            self.line("Kafka", f"{one.topic} partition {one.partition} offset {one.offset}  {one.type}")

    def mail(self, item: dict[str, Any]) -> None:
        invitation = " + invitation" if any("calendar" in part["content_type"] for part in item["attachments"]) else ""
        self.line("email", f"to {', '.join(item['to'])}: “{item['subject']}”{invitation}")

    def whatsapp(self, item: dict[str, Any]) -> None:
        what = item["template"]["name"] if item.get("type") == "template" else item.get("text", {}).get("body", "")
        self.line("WhatsApp", f"to {item['to']}: {' '.join(str(what).split())[:90]}")

    def calendar(self, row: dict[str, Any]) -> None:
        if row.get("scheduled_date") is None:
            self.line("calendar", f"{row['status']}, no time")
            return
        when = f"{row['scheduled_date']} {str(row['time_start'])[:5]}–{str(row['time_end'])[:5]} {row['timezone']}"
        self.line("calendar", f"{row['status']}, {when}")

    def table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        table = Table(title=title, title_justify="left", title_style="dim", box=None, pad_edge=True, padding=(0, 2))
        for column in columns:
            table.add_column(column, style="dim" if column == "#" else None)
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    def readable(self, text: str) -> str:
        """Names in the place of our people's ids, and the ends of all other ids."""
        for sub, name in self._names.items():
            text = text.replace(sub, name)
        return _UUID.sub(lambda found: "…" + found[0][-6:], text)
