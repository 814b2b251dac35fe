"""Pictures of curves and bars as SVG, written by hand: they are looked at in the documentation, in light and dark."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 360, 64, 150, 40, 44
COLOURS = ("#3b76c4", "#c4563b", "#3f9b5f", "#9a5fc0", "#b58a1e", "#4aa3a8", "#888888")
_STYLE = (
    "text{font:12px sans-serif;fill:#777}.t{font-size:14px;font-weight:600}"
    "line{stroke:#999;stroke-opacity:.35}polyline{fill:none;stroke-width:2}"
)
Points = Sequence[tuple[float, float]]


def curves(title: str, x: str, y: str, lines: Mapping[str, Points], *, top: float) -> str:
    """Lines by name over a linear axis, and upwards a logarithmic one that ends at `top`, where they are cut off."""
    drawn = [(a, b) for points in lines.values() for a, b in points if b <= top]
    right, low = max(a for a, _ in drawn), 10 ** math.floor(math.log10(min(b for _, b in drawn)))

    def at(a: float, b: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * a / right
        share = math.log(b / low) / math.log(top / low)
        return across, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    parts = [_text(LEFT, 20, title, cls="t"), _text(LEFT, HEIGHT - 8, x), _text(8, 34, y)]
    for b in _decades(low, top):
        (_, height) = at(0, b)
        parts += [_line(LEFT, height, WIDTH - RIGHT, height), _text(LEFT - 6, height + 4, f"{b:g}", anchor="end")]
    for a in _round_steps(right):
        (across, height) = at(a, low)
        parts += [_line(across, TOP, across, height), _text(across, height + 16, f"{a:,.0f}", anchor="middle")]
    for number, (name, points) in enumerate(lines.items()):
        shown = [at(a, b) for a, b in points if b <= top]
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in shown)
        parts.append(f'<polyline points="{path}" stroke="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 8, TOP + 16 + 18 * number, name, colour=colour))
    return _picture(HEIGHT, parts)


def bars(title: str, x: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Groups of named bars over a logarithmic axis; the shortest of a group, which is where it ends, is full."""
    values = [value for group in groups.values() for value in group.values()]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))
    left, rows = 230, sum(len(group) + 1 for group in groups.values())
    height = TOP + 20 * rows + BOTTOM

    def at(value: float) -> float:
        return left + (WIDTH - left - 70) * math.log(value / low) / math.log(high / low)

    parts = [_text(16, 20, title, cls="t"), _text(left, height - 8, x)]
    for value in _decades(low, high):
        parts += [_line(at(value), TOP, at(value), height - BOTTOM)]
        parts += [_text(at(value), height - BOTTOM + 16, f"{value:,.0f}", anchor="middle")]
    down = TOP
    for number, (name, group) in enumerate(groups.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(_text(16, down + 15, name, colour=colour))
        for what, value in group.items():
            down += 20
            opacity = 1 if value == min(group.values()) else 0.4
            parts.append(_text(left - 8, down + 15, what, anchor="end"))
            parts.append(
                f'<rect x="{left}" y="{down + 4}" width="{at(value) - left:.1f}" height="13" fill="{colour}" '
                f'fill-opacity="{opacity}"/>'
            )
            parts.append(_text(at(value) + 6, down + 15, f"{value:,.0f}"))
        down += 20
    return _picture(height, parts)


def stacked(title: str, x: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """A bar for each row, made of its parts over a linear axis; a part has one colour in all rows."""
    colours = dict(zip(dict.fromkeys(part for parts in rows.values() for part in parts), COLOURS, strict=False))
    left, high = 300, max(sum(parts.values()) for parts in rows.values())
    height = TOP + 24 * (len(rows) + 1) + BOTTOM
    scale = (WIDTH - left - 70) / high

    drawn = [_text(16, 20, title, cls="t"), _text(left, height - 8, x)]
    across = left
    for part, colour in colours.items():
        drawn.append(_text(across, TOP + 12, part, colour=colour))
        across += 8 * len(part) + 24
    for value in _round_steps(high):
        drawn.append(_line(left + value * scale, TOP + 20, left + value * scale, height - BOTTOM))
        drawn.append(_text(left + value * scale, height - BOTTOM + 16, f"{value:,.4g}", anchor="middle"))
    for number, (name, parts) in enumerate(rows.items(), 1):
        down, across = TOP + 24 * number, float(left)
        drawn.append(_text(left - 8, down + 15, name, anchor="end"))
        for part, value in parts.items():
            place = f'x="{across:.1f}" y="{down + 3}" width="{value * scale:.1f}" height="16"'
            drawn.append(f'<rect {place} fill="{colours[part]}"/>')
            across += value * scale
        drawn.append(_text(across + 6, down + 15, f"{sum(parts.values()):,.4g}"))
    return _picture(height, drawn)


def _decades(low: float, top: float) -> list[float]:
    return [10.0**n for n in range(round(math.log10(low)), math.floor(math.log10(top)) + 1)]


def _round_steps(right: float) -> list[float]:
    step = 10 ** math.floor(math.log10(right))
    step = next(step / n for n in (1, 2, 5, 10) if right / (step / n) >= 4)
    return [step * n for n in range(int(right / step) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", cls: str = "", colour: str = "") -> str:
    more = (f' class="{cls}"' if cls else "") + (f' style="fill:{colour}"' if colour else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def _picture(height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])
