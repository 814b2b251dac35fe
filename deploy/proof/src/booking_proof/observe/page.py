"""The page: alarms on top, then the panels as SVG lines. It loads nothing, and needs no JavaScript."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from html import escape

from booking_proof.observe.boards import Panel
from booking_proof.observe.judged import EVERY_SECONDS, Active, Judged, Line

_WIDTH, _HEIGHT = 300, 90
_COLOURS = ("#1f6fb2", "#d1495b", "#2e8b57", "#b8860b", "#7d4fa8", "#00868b", "#a0522d", "#708090")
_STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:1rem auto;max-width:84rem;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd}
.firing b{color:#b00020}.pending b{color:#8a5a00}.panels{display:flex;flex-wrap:wrap;gap:.75rem}
figure{margin:0;width:300px}figcaption{font-weight:600}figure p,figure ul{margin:.1rem 0;font-size:12px;color:#555}
ul{padding-left:1rem}svg{background:#f6f6f6;display:block}h2{margin-top:2rem}
"""


def page(judged: Judged) -> str:
    """The whole of it, as HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Booking: observe</title>'
        f'<meta http-equiv="refresh" content="{2 * EVERY_SECONDS:.0f}"><style>{_STYLE}</style></head><body>'
        f"<h1>Booking: what the rules and dashboards say</h1><p>At {_time(judged.at)}, of the last hour at most.</p>"
        f"{_alarms(judged)}{''.join(_boards(judged))}</body></html>"
    )


def _alarms(judged: Judged) -> str:
    active = judged.active()
    rows = "".join(_row(one, judged.at) for one in active)
    head = "<tr><th>alarm</th><th>state</th><th>since</th><th>what</th></tr>"
    table = f"<table>{head}{rows}</table>" if rows else "<p>No alarm's expression is true.</p>"
    still = judged.still()
    refused = [one for one in still if one.expression in judged.refused]
    said = f"<p>Can't be judged here: {_links(one.name for one in refused)}</p>" if refused else ""
    quiet = [one.name for one in still if one not in refused]
    rest = f"<details><summary>{len(quiet)} keep still</summary><p>{_links(quiet)}</p></details>"
    return f"<h2>Alarms</h2>{table}{said}{rest}"


def _row(one: Active, at: float) -> str:
    state = "firing" if one.firing else "pending"
    waits = "" if one.firing else f", fires after {_duration(one.alarm.hold)}"
    return (
        f'<tr class="{state}"><td>{_link(one.alarm.name)}</td><td><b>{state}</b> ({escape(one.alarm.severity)})</td>'
        f"<td>{_time(one.since)} ({_duration(at - one.since)}{waits})</td>"
        f"<td>{escape(summary(one.alarm.summary, one.labels, one.value))}</td></tr>"
    )


def _link(alarm: str) -> str:
    return f'<a href="/runbooks/{escape(alarm)}">{escape(alarm)}</a>'


def _links(alarms: Iterable[str]) -> str:
    return ", ".join(_link(one) for one in alarms)


def summary(template: str, labels: Mapping[str, str], value: float) -> str:
    """An alarm's own words, with what Prometheus would put in for labels and value."""
    shown = {"humanizeDuration": _duration(value), "humanizePercentage": _number(value, "percentunit")}
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda met: labels.get(met[1], ""), template)
    return re.sub(
        r"\{\{ \$value(?: \| (\w+))? \}\}", lambda met: shown.get(met[1] or "", _number(value, "short")), text
    )


def _boards(judged: Judged) -> Iterable[str]:
    for board in judged.boards:
        yield f"<h2>{escape(board.title)}</h2>"
        for title, panels in board.rows:
            figures = "".join(_figure(panel, judged) for panel in panels)
            yield f'<h3>{escape(title)}</h3><div class="panels">{figures}</div>'


def _figure(panel: Panel, judged: Judged) -> str:
    refused = [judged.refused[one.expression] for one in panel.queries if one.expression in judged.refused]
    lines = judged.lines(panel)
    body = _svg(lines, panel.unit, judged.at) if lines else "<p>nothing was measured</p>"
    if refused:
        body = f"<p>can't be evaluated here: {escape('; '.join(refused))}</p>" + (body if lines else "")
    return f"<figure><figcaption>{escape(panel.title)}</figcaption><p>{escape(panel.says)}</p>{body}</figure>"


def _svg(lines: Mapping[str, Line], unit: str, at: float) -> str:
    """The lines since the first point, and below them what each is now, the highest first; eight at most."""
    shown = sorted(lines.items(), key=lambda one: -one[1][-1][1])[: len(_COLOURS)]
    points = [point for _, line in shown for point in line]
    began = min(time for time, _ in points)
    lowest, highest = min(0.0, *(value for _, value in points)), max(value for _, value in points)
    high, span = highest - lowest or 1.0, max(at - began, EVERY_SECONDS)

    def place(point: tuple[float, float]) -> str:
        return (
            f"{(point[0] - began) / span * _WIDTH:.1f} {_HEIGHT - 3 - (point[1] - lowest) / high * (_HEIGHT - 6):.1f}"
        )

    paths = "".join(
        f'<path d="{_path(line, place)}" fill="none" stroke="{colour}" stroke-width="2" stroke-linecap="round"/>'
        for colour, (_, line) in zip(_COLOURS, shown, strict=False)
    )
    legend = "".join(
        f'<li style="color:{colour}">{escape(name)}: {_last(line, unit, at)}</li>'
        for colour, (name, line) in zip(_COLOURS, shown, strict=False)
    )
    more = f"<li>and {len(lines) - len(shown)} lower ones</li>" if len(lines) > len(shown) else ""
    scale = f"<p>{_number(lowest, unit)} to {_number(highest, unit)}, {_duration(span)}</p>"
    box = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img">{paths}</svg>'
    return f"{box}{scale}<ul>{legend}{more}</ul>"


def _path(line: Line, place: Callable[[tuple[float, float]], str]) -> str:
    """Broken where nothing was measured; a point alone is a dot."""
    words: list[str] = []
    before = 0.0
    for point in line:
        words.append(f"L{place(point)}" if point[0] - before <= 3 * EVERY_SECONDS else f"M{place(point)}h.01")
        before = point[0]
    return "".join(words)


def _last(line: Line, unit: str, at: float) -> str:
    """The value of this round; of a line that has ended, that it has."""
    time, value = line[-1]
    return _number(value, unit) if time == at else f"ended {_duration(at - time)} ago"


def _number(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return _duration(value)
    per = {"reqps": " a second", "cps": " a second", "cpm": " a minute"}.get(unit, "")
    return (f"{value:.0f}" if value.is_integer() else f"{value:.3g}") + per


def _duration(seconds: float) -> str:
    if abs(seconds) < 1:
        return f"{seconds * 1000:.3g} ms" if seconds else "0 s"
    for length, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= length:
            return f"{seconds / length:.3g} {name}"
    return f"{seconds:.3g} s"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
