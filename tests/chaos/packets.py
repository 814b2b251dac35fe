"""Packets really dropped or refused: rules of iptables for a stack's own ports on the loopback, as root on Linux.

The rules are taken away by a guard, a shell that waits for the end of a pipe from us: so they go at the healing, at
the rig's end, and when the rig is killed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence

_IPTABLES = ("iptables", "-w", "5")
_SECONDS = 15.0
Rule = Sequence[str]


def unavailable() -> str:
    """Why this machine drops no packets for us; empty if it does."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "iptables: only root may use it"
    if shutil.which("iptables") is None:
        return "iptables: not on this machine"
    looked = subprocess.run([*_IPTABLES, "-S", "INPUT"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    return f"iptables: {looked.stderr.strip()[-200:]}" if looked.returncode else ""


def dropped(port: int) -> list[Rule]:
    """No packet to or from this port arrives: nobody is told, both sides send again and again."""
    return [_packets("--dport", port, "DROP"), _packets("--sport", port, "DROP")]


def lossy(port: int, share: float) -> list[Rule]:
    """This share of the packets is lost; TCP sends them again."""
    chance = ("-m", "statistic", "--mode", "random", "--probability", f"{share:.2f}")
    return [_packets("--dport", port, "DROP", chance), _packets("--sport", port, "DROP", chance)]


def refused(port: int) -> list[Rule]:
    """Every packet to this port is answered by a reset: connections end in the middle of what they do."""
    return [_packets("--dport", port, "REJECT", ("--reject-with", "tcp-reset"), after=True)]


def _packets(which: str, port: int, verdict: str, more: Rule = (), *, after: bool = False) -> Rule:
    match = ("INPUT", "-i", "lo", "-p", "tcp", which, str(port))
    return (*match, "-j", verdict, *more) if after else (*match, *more, "-j", verdict)


class Laid:
    """Rules that hold until `lift`. Raises OSError when one can't be had; none is left then."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        undo = "; ".join(shlex.join([*_IPTABLES, "-D", *rule]) for rule in rules)
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", f"trap '' INT TERM HUP; cat > /dev/null; {undo}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for rule in rules:
            words = [*_IPTABLES, "-I", *rule]
            done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
            if done.returncode != 0:
                self.lift()
                raise OSError(f"iptables: {done.stderr.strip()[-200:]}")

    def lift(self) -> None:
        """The guard takes the rules away; back when it has."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(_SECONDS)
