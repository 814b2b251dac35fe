"""Processor time: what an operation costs each process that takes part, whatever else the machine is doing.

A rate falls when a neighbour works; the processor time of an operation hardly does. It is read from `/proc` in
nanoseconds where a process has one thread (a PostgreSQL backend), else in the kernel's ticks of 10 ms, so on Linux
only. Elsewhere the tables have no such figures.
"""

import os
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

Clock = Callable[[], float]
"""The processor time that somebody has used so far, in seconds."""

Cost = Mapping[str, float]
"""Processor time of one operation in microseconds, by whose it is: `{"client": 210.0, "PostgreSQL": 640.0}`."""

_PROC = Path("/proc")
_TICK = 1 / os.sysconf("SC_CLK_TCK")


def own() -> float:
    """This process, all its threads."""
    return time.process_time()


def ended_children() -> float:
    """This process's children that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process(pid: int) -> Clock:
    """One process, all its threads, those that ended included."""
    return lambda: sum(_fields(pid)[11:13]) * _TICK


def postgres(postmaster: int) -> Clock:
    """The postmaster with all its children: those that live, and those that ended, which it has waited for."""

    def used() -> float:
        while True:
            ended = sum(_fields(postmaster)[13:15])
            try:
                living = sum(map(nanoseconds, [postmaster, *_children(postmaster)]))
            except (FileNotFoundError, ProcessLookupError):
                continue  # one ended between the two looks
            if sum(_fields(postmaster)[13:15]) == ended:
                return ended * _TICK + living / 1e9

    return used


class Span:
    """`with Span(clocks) as span:` measures what is done inside: its seconds, and what everybody's clocks moved on."""

    def __init__(self, clocks: Mapping[str, Clock]) -> None:
        self._clocks = clocks if (_PROC / "self" / "schedstat").exists() else {}
        self._before: dict[str, float] = {}
        self._used: dict[str, float] = {}
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._before = {name: clock() for name, clock in self._clocks.items()}
        self.seconds = -time.perf_counter()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.seconds += time.perf_counter()
        self._used = {name: clock() - self._before[name] for name, clock in self._clocks.items()}

    def cost(self, operations: int) -> Cost:
        """Of each of so many operations."""
        return {name: 1e6 * used / operations for name, used in self._used.items()}


def _fields(pid: int) -> list[int]:
    """The numbers of `/proc/PID/stat` after the state: utime is the 12th, stime, cutime and cstime follow."""
    words = (_PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return [0, *map(int, words[1:])]


def nanoseconds(pid: int) -> int:
    """One process's main thread, finer than `process`; FileNotFoundError or ProcessLookupError if it has ended."""
    return int((_PROC / str(pid) / "schedstat").read_text().split()[0])


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = _fields(int(entry.name))[1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found
