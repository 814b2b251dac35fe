"""A decision against a command: a rule of the domain says no, and nothing happens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """`code` is stable, `detail` is for people; `current_status` is named where the status is the reason."""

    code: str
    detail: str
    current_status: str | None = None
