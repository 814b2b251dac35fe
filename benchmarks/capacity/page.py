"""docs/capacity.md: what people wrote stays; the tables between the marks and the pictures are made anew."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.capacity import drawing
from benchmarks.capacity.costs import Costs, Operation
from benchmarks.capacity.model import (
    YEAR,
    Assumptions,
    Deployment,
    ceilings,
    changes,
    demand,
    growth,
    sessions_a_day,
    size,
)
from benchmarks.capacity.queues import Answer, answers, predicted
from benchmarks.page import between

PAGE = Path(__file__).parents[2] / "docs" / "capacity.md"
SHARES = (0.1, 0.3, 0.5, 0.6, 0.8, 0.9)
"""Of the lowest ceiling: the loads at which latency is simulated."""
JOBS = 1_200


def write(costs: Costs, given: Assumptions, page: Path = PAGE) -> None:
    """Tables and pictures; a minute of simulation. Raises ValueError where the page lacks a mark."""
    text = page.read_text()
    for name, table in {**tables(costs, given), "points": points(costs)}.items():
        text = between(text, name, table)
    curves: dict[Deployment, list[tuple[float, Answer]]] = {}
    for one in given.deployments:
        lowest = min(ceilings(costs, given, one).values())
        curves[one] = [(lowest * share, answers(costs, given, one, lowest * share, JOBS)) for share in SHARES]
    page.write_text(between(text, "latency", _latency(curves)))
    for file, one in zip(("one-node", "three-nodes", "region"), curves, strict=True):
        (page.parent / f"capacity-{file}.svg").write_text(_drawn(one, curves[one]))
    found = {one.name: ceilings(costs, given, one) for one in given.deployments}
    title = "Where each deployment is full: commands a second, all that follows them included"
    (page.parent / "capacity-ceilings.svg").write_text(drawing.bars(title, "commands a second", found))


def tables(costs: Costs, given: Assumptions) -> dict[str, str]:
    """What needs no simulation, by the name of its mark."""
    return {
        "costs": _costs(costs),
        "demand": _demand(costs, given),
        "copies": _table(["with two copies, of one's cost per operation", ""], costs.copies.items()),
        "ceilings": _ceilings(costs, given),
        "sizing": _sizing(costs, given),
        "growth": _growth(costs, given),
        "changes": _changes(costs, given),
    }


def points(costs: Costs) -> str:
    """What the model expects where throughput was measured."""
    rows: list[Sequence[object]] = []
    for point in costs.points:
        rate, p50 = predicted(costs, point)
        ratio = f"{point.rate / rate:.2f}"
        rows.append([f"{point.operation}, {point.clients} at once", point.cores, point.rate, rate, ratio,
                     1000 * point.p50, 1000 * p50])  # fmt: skip
    head = ["", "cores", "measured/s", "expected/s", "ratio", "p50 ms", "expected"]
    return _table(head, rows)


def _costs(costs: Costs) -> str:
    whose = list(dict.fromkeys(name for one in costs.operations.values() for name in one.processor))
    rows = [
        [name, *(one.processor.get(part, "") for part in whose), *_more(one)] for name, one in costs.operations.items()
    ]
    places = [[f"bytes of: {name}", size] for name, size in costs.bytes.items()]
    head = ["µs of processor time", *whose, "bytes of log", "and of full pages", "statements"]
    known = dict(costs.machine)
    measured = f"Measured on {known['processor']}, {known['cores']} cores, load {known['load before']} before, "
    measured += f"Python {known['python']}. The log's flush takes {1000 * costs.flush:.2f} ms there."
    return "\n\n".join([measured, _table(head, rows), _table(["", ""], places)])


def _more(one: Operation) -> list[object]:
    """What is nothing, or less than one, is not shown."""
    return [value if value >= 1 else "" for value in (one.wal, one.pages, one.statements)]


def _demand(costs: Costs, given: Assumptions) -> str:
    of = demand(costs, given)
    rows = [
        ["api processes, µs", 1e6 * of.api],
        ["relay, projector and notifier, µs", 1e6 * of.workers],
        ["PostgreSQL, µs", 1e6 * of.postgres],
        ["Kafka, µs", 1e6 * of.kafka],
        ["write-ahead log, bytes", of.wal],
        ["Kafka's network, bytes", of.sent],
    ]
    return _table(["one command with all that follows it", ""], rows)


def _ceilings(costs: Costs, given: Assumptions) -> str:
    found = {one.name: ceilings(costs, given, one) for one in given.deployments}
    names = list(dict.fromkeys(name for group in found.values() for name in group))
    rows: list[Sequence[object]] = [[name, *(_marked(group, name) for group in found.values())] for name in names]
    lowest = [min(group.values()) for group in found.values()]
    full = given.use.full
    rows.append([f"to plan for: {full:.0%} of the lowest", *(full * one for one in lowest)])
    rows.append(["so many booked sessions a day", *(sessions_a_day(full * one, given) for one in lowest)])
    return _table(["commands a second at which it is full", *found], rows)


def _marked(group: Mapping[str, float], name: str) -> str:
    if name not in group:
        return ""
    shown = _number(group[name])
    return f"**{shown}**" if group[name] == min(group.values()) else shown


def _growth(costs: Costs, given: Assumptions) -> str:
    rows: list[Sequence[object]] = []
    for one in given.deployments:
        load = given.use.full * min(ceilings(costs, given, one).values())
        day = growth(costs, given, load, one.memory_gigabytes)
        rows.append([one.name, load, day.tables, day.log, day.topics, YEAR * day.tables / 1000, day.days_in_memory])
    head = ["at the load to plan for", "commands/s", "tables, GB a day", "log, GB a day", "topics, GB a day",
            "tables, TB a year", "days until the events' indexes fill their share of memory"]  # fmt: skip
    return _table(head, rows)


def _sizing(costs: Costs, given: Assumptions) -> str:
    rows: list[Sequence[object]] = []
    for sessions in given.zones.sizes:
        for zones in (1, 3):
            of = size(costs, given, sessions, zones)
            where = "one zone" if zones == 1 else f"{zones} zones"
            cores = f"{of.servers} × {_number(math.ceil(of.postgres_cores))}"
            rows.append([f"{sessions:,}", where, of.commands, of.apis, of.notifiers, of.service_cores, cores,
                         of.servers, of.terabytes, of.between if zones > 1 else ""])  # fmt: skip
    head = ["booked sessions a day", "", "commands/s at the peak", "api processes a service", "notifiers",
            "cores of services", "PostgreSQL, servers × cores", "brokers", "TB a year, all copies",
            "MB/s between zones"]  # fmt: skip
    return _table(head, rows)


def _changes(costs: Costs, given: Assumptions) -> str:
    rows = [[one.what, one.commands, sessions_a_day(one.commands, given), one.why] for one in changes(costs, given)]
    return _table(["change", "from commands/s", "sessions a day", "because then"], rows)


def _latency(curves: Mapping[Deployment, list[tuple[float, Answer]]]) -> str:
    rows = [
        [one.name, f"{share:.0%}", load, *(1000 * s for s in (found.p50, found.p99, found.row_p50, found.row_p99))]
        for one, curve in curves.items()
        for share, (load, found) in zip(SHARES, curve, strict=True)
        if share in {0.1, 0.6, 0.9}
    ]
    head = ["", "of the ceiling", "commands/s", "answer p50 ms", "p99", "then row p50 ms", "p99"]
    return _table(head, rows)


def _drawn(one: Deployment, curve: Sequence[tuple[float, Answer]]) -> str:
    lines = {
        "row, p99": [(load, 1000 * found.row_p99) for load, found in curve],
        "answer, p99": [(load, 1000 * found.p99) for load, found in curve],
        "row, p50": [(load, 1000 * found.row_p50) for load, found in curve],
        "answer, p50": [(load, 1000 * found.p50) for load, found in curve],
    }
    title = f"{one.name}: from the request to the answer, and from it to the calendar's row"
    return drawing.curves(title, "commands a second", "ms", lines, top=1000)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)]]
    lines += [[value if isinstance(value, str) else _number(value) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: object) -> str:
    assert isinstance(value, float | int)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
