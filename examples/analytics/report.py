"""One page of plots from the marts: `python report.py`, then open `lake/report.html`. It needs no network and no script: the plots are SVG,
and their colours follow the reader's, light or dark.
"""

# pyright: reportMissingImports=false
import argparse
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import altair as alt
import duckdb
import vl_convert

import lake as lakes

INK, QUIET, LINE = "#010101", "#020202", "#030303"
SERIES = ["#0a0101", "#0a0202", "#0a0303", "#0a0404", "#0a0505", "#0a0606"]
NAMED = {INK: "ink", QUIET: "quiet", LINE: "line"} | {colour: f"s{number}" for number, colour in enumerate(SERIES, 1)}
"""Colours that nobody would choose: in the SVG each becomes a variable of the page."""

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Booking: what the streams tell</title>
<style>
:root {{ color-scheme: light dark; --paper: #fcfcfb; --card: #fff; --ink: #1d1d1b; --quiet: #5f5e58; --line: #e4e3dd;
  --s1: #2a6fbb; --s2: #c8641b; --s3: #2c8a6b; --s4: #a2498e; --s5: #8a7a16; --s6: #7b7a74 }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #161615; --card: #1f1f1d; --ink: #eeede7; --quiet: #a5a49b; --line: #383733;
  --s1: #6aa9ee; --s2: #ef9a56; --s3: #5dc4a0; --s4: #d98cc6; --s5: #cdbb4f; --s6: #a09f98 }} }}
body {{ margin: 0 auto; max-width: 1180px; padding: 24px 20px 48px; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif }}
h1 {{ font-size: 24px; margin: 0 }} h2 {{ font-size: 16px; margin: 0 }} p {{ margin: 2px 0 12px; color: var(--quiet) }}
.figures, .plots {{ display: grid; gap: 16px }} .figures {{ grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); margin: 20px 0 }}
.plots {{ grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)) }}
.figures div, section {{ background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px }}
.figures b {{ display: block; font-size: 22px; font-variant-numeric: tabular-nums }} .figures span {{ color: var(--quiet); font-size: 13px }}
svg {{ display: block; max-width: 100%; height: auto }} svg text {{ font-family: system-ui, sans-serif !important }}
.wide svg {{ width: 100% }} .narrow {{ display: none }}
@media (max-width: 540px) {{ body {{ padding: 16px 8px 32px }} section {{ padding: 12px }} .wide {{ display: none }} .narrow {{ display: block }}
  .figures {{ grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: 8px }} }}
</style>
<h1>What the streams tell</h1><p>{sub}</p><div class="figures">{figures}</div><div class="plots">{plots}</div></html>
"""

_MONTHS = {"format": "%b %y", "grid": False, "labelOverlap": True, "labelSeparation": 8}
MONTH = alt.X("utcyearmonth(month):T", title=None, axis=alt.Axis(**_MONTHS, tickCount="month"))
BY_MONTH = alt.X("utcyearmonth(month):O", title=None, axis=alt.Axis(**_MONTHS))
HEIGHT = 220


@dataclass(frozen=True)
class Form:
    """How a plot is drawn for a screen: the page has each for a wide one and for a phone, since what is shrunk can't be read."""

    name: str
    width: int  # of the plot without its axes, in pixels
    label: int  # of an axis' longest word, in pixels
    legends: int  # beside each other
    angle: int  # of the words below an axis of names, in degrees


FORMS = [Form("wide", 460, 190, 5, 0), Form("narrow", 205, 80, 2, -40)]
BAR = alt.RelativeBandSize(band=0.72)


def colour(field: str, order: list[str] | None = None) -> alt.Color:
    """One colour for each name; in the order given, else by the alphabet, so that a name has the same in every plot that has the same names."""
    scale = alt.Scale(range=SERIES, domain=order) if order else alt.Scale(range=SERIES)
    return alt.Color(f"{field}:N", title=None, scale=scale, legend=alt.Legend(orient="top", symbolType="square", symbolStrokeWidth=0))


def funnel(rows) -> alt.Chart:
    steps = ["bought", "paid", "requested", "scheduled", "completed"]
    x = alt.X("step:N", sort=steps, title=None, axis=alt.Axis(grid=False))
    return alt.Chart(rows).mark_bar(cornerRadiusEnd=2).encode(
        x=x, xOffset=alt.XOffset("tier:N"), y=alt.Y("purchases:Q", title="purchases"), color=colour("tier"))  # fmt: skip


def lines(rows, field: str, title: str, by: str, order: list[str] | None = None, *, form: str = "~s") -> alt.Chart:
    y = alt.Y(f"{field}:Q", title=title, axis=alt.Axis(format=form))
    point = alt.OverlayMarkDef(size=36, filled=True)
    return alt.Chart(rows).mark_line(point=point, strokeWidth=2).encode(x=MONTH, y=y, color=colour(by, order))


def stacked(rows, field: str, title: str, by: str) -> alt.Chart:
    return alt.Chart(rows).mark_bar(width=BAR).encode(x=BY_MONTH, y=alt.Y(f"{field}:Q", title=title), color=colour(by))


def ranked(rows, field: str, title: str, name: str) -> alt.Chart:
    y = alt.Y(f"{name}:N", sort="-x", title=None, axis=alt.Axis(labelPadding=8, grid=False))
    return alt.Chart(rows).mark_bar(cornerRadiusEnd=2, color=SERIES[0]).encode(x=alt.X(f"{field}:Q", title=title), y=y)


def by_currency(rows, draw) -> alt.Chart:
    """A panel for each currency, each with its own scale: they are never compared by height, and never added up."""
    currencies = sorted({row["currency"] for row in rows})
    panels = []
    for one in currencies:
        values = alt.Data(values=[row for row in rows if row["currency"] == one])
        panels.append(draw(alt.Chart(values, title=alt.Title(one, anchor="start"), height=max(70, 190 // len(currencies)))))
    return alt.vconcat(*panels).resolve_scale(x="shared")


def revenue(rows) -> alt.Chart:
    y = alt.Y("amount:Q", title=None, axis=alt.Axis(format="~s", tickCount=4))
    return by_currency(rows, lambda panel: panel.mark_bar(width=BAR).encode(x=BY_MONTH, y=y, color=colour("pile", ["net", "given or taken back"])))


def prices(rows) -> alt.Chart:
    x = alt.X("at:T", title=None, axis=alt.Axis(format="%b %y", grid=False, labelOverlap=True, tickCount="month"))
    y = alt.Y("price:Q", title=None, axis=alt.Axis(format="~s", tickCount=4))
    step = {"interpolate": "step-after", "strokeWidth": 2, "point": alt.OverlayMarkDef(size=24, filled=True)}
    return by_currency(rows, lambda panel: panel.mark_line(**step).encode(x=x, y=y, color=colour("tier"), detail="product_id:N"))


def shares(rows, of: str, by: str) -> alt.Chart:
    return lines(rows, "share", f"share of the {of}", by, form="%")


def assessments(rows) -> alt.Chart:
    return lines(rows, "assessments", "assessments", "step", ["completed", "requested", "held"])


def declined(rows) -> alt.Chart:
    y = alt.Y("code:N", sort="-x", title=None, axis=alt.Axis(labelPadding=8, grid=False))
    return alt.Chart(rows).mark_bar().encode(x=alt.X("purchases:Q", title="purchases"), y=y, color=colour("then", ["paid later", "never paid"]))


PLOTS = [
    ("From purchase to result", "Purchases that reached each step, by tier.", "funnel_steps", funnel),
    ("Completed of what was paid", "By the month of the purchase; the last is still on its way.", "completed", lambda rows: shares(rows, "paid", "tier")),
    ("Revenue by currency", "What paid, by the provider's day, and what went back of it. Currencies are never added up.", "revenue", revenue),
    ("Time to schedule", "Hours from a request to its first date.", "waiting", lambda rows: lines(rows, "hours", "hours", "quantile", ["median", "90 of 100"])),
    ("Practitioners in demand", "Booked hours of all months, the fifteen who had most.", "load", lambda rows: ranked(rows, "hours", "booked hours", "name")),
    ("Cancellations", "By month and who called it off.", "cancellations", lambda rows: stacked(rows, "sessions", "sessions", "who")),
    ("Nobody came", "Of the sessions that were due: in which one side was absent.", "no_shows", lambda rows: shares(rows, "due", "who")),
    ("Messages", "How they ended, without those that were no longer useful.", "messages", lambda rows: stacked(rows, "messages", "messages", "outcome")),
    ("Lateness of messages", "Minutes between due and gone, of 100 the 95th.", "lateness", lambda rows: ranked(rows, "minutes", "minutes late", "message")),
    ("Declined payments", "By the provider's code, and whether that purchase was paid all the same.", "declined", declined),
    ("From assessment to session", "Assessments of a month, those named in a request, those whose session was held.", "assessments", assessments),
    ("Prices", "Of each product, as the catalogue told or as it was sold.", "prices", prices),
]
"""Title, words, the rows' query of `ROWS`, and what draws them."""


ROWS = {
    "funnel_steps": "UNPIVOT (SELECT tier, sum(bought) AS bought, sum(paid) AS paid, sum(requested) AS requested, sum(scheduled) AS scheduled, "
    "sum(completed) AS completed FROM analytics.funnel GROUP BY tier) ON bought, paid, requested, scheduled, completed INTO NAME step VALUE purchases",
    "completed": "SELECT month, tier, completed_share AS share FROM analytics.funnel WHERE paid > 0",
    "revenue": "SELECT month, currency, 'net' AS pile, net AS amount FROM analytics.revenue UNION ALL "
    "SELECT month, currency, 'given or taken back', -(refunded + withdrawn) FROM analytics.revenue WHERE refunded + withdrawn > 0",
    "waiting": "WITH w AS (SELECT requested_month AS month, epoch(scheduled_at - requested_at) / 3600 AS hours FROM analytics.sessions "
    "WHERE scheduled_at IS NOT NULL) SELECT month, 'median' AS quantile, quantile_cont(hours, 0.5) AS hours FROM w GROUP BY month UNION ALL "
    "SELECT month, '90 of 100', quantile_cont(hours, 0.9) FROM w GROUP BY month",
    "load": "SELECT coalesce(name, left(practitioner_id::VARCHAR, 8)) AS name, sum(booked_hours) AS hours FROM analytics.practitioner_load "
    "GROUP BY practitioner_id, name ORDER BY hours DESC LIMIT 15",
    "cancellations": "SELECT month, replace(reason_code, 'canceled_by_', '') AS who, sum(sessions) AS sessions FROM analytics.cancellations GROUP BY ALL",
    "no_shows": "SELECT month, who, sum(absent) / sum(due) AS share FROM (SELECT month, due, 'member' AS who, member_absent AS absent FROM "
    "analytics.no_shows UNION ALL SELECT month, due, 'practitioner', practitioner_absent FROM analytics.no_shows) GROUP BY month, who",
    "messages": "SELECT month, outcome, sum(messages) AS messages FROM (UNPIVOT (SELECT month, waiting, sent, delivered, failed, ambiguous FROM "
    "analytics.message_delivery) ON waiting, sent, delivered, failed, ambiguous INTO NAME outcome VALUE messages) WHERE messages > 0 GROUP BY ALL",
    "lateness": "SELECT channel || ' ' || template AS message, max(p95_minutes_late) AS minutes FROM analytics.message_delivery "
    "WHERE p95_minutes_late IS NOT NULL GROUP BY ALL ORDER BY minutes DESC LIMIT 15",
    "declined": "SELECT code, 'paid later' AS \"then\", sum(paid_later) AS purchases FROM analytics.declined_payments GROUP BY code UNION ALL "
    "SELECT code, 'never paid', sum(purchases - paid_later) FROM analytics.declined_payments GROUP BY code",
    "assessments": "UNPIVOT (SELECT month, assessments AS completed, requested, held FROM analytics.assessment_conversion) "
    "ON completed, requested, held INTO NAME step VALUE assessments",
    "prices": "SELECT product_id::VARCHAR AS product_id, tier, currency, price_amount AS price, valid_from AS at FROM analytics.price_history UNION ALL "
    "SELECT product_id::VARCHAR, tier, currency, price_amount, (SELECT max(recorded_at) FROM landed.event) FROM analytics.price_history WHERE valid_to IS NULL",
}
FIGURES = """
SELECT 'events landed', (SELECT count(*) FROM landed.event)
UNION ALL SELECT 'purchases', (SELECT count(*) FROM analytics.purchases)
UNION ALL SELECT 'sessions held', (SELECT count(*) FROM analytics.sessions WHERE completed_at IS NOT NULL)
UNION ALL SELECT 'members', (SELECT count(DISTINCT user_id) FROM analytics.purchases)
UNION ALL SELECT 'practitioners', (SELECT count(DISTINCT practitioner_id) FROM analytics.sessions)"""


def plain(value):
    return value.isoformat() if hasattr(value, "isoformat") else float(value) if hasattr(value, "as_tuple") else value


def drawn(chart: alt.Chart) -> str:
    """The plot as SVG, once for each form; the page shows the one that fits."""
    return "".join(f'<div class="{form.name}">{svg(chart, form)}</div>' for form in FORMS)


def svg(chart: alt.Chart, form: Form) -> str:
    config = {
        "background": None,
        "padding": {"left": 8, "right": 8, "top": 4, "bottom": 4}, "view": {"stroke": None}, "font": "sans-serif",
        "axis": {
            "labelColor": QUIET, "titleColor": QUIET, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE,
            "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": form.label,
        },
        "axisXDiscrete": {"labelAngle": form.angle},
        "legend": {"labelColor": INK, "titleColor": QUIET, "labelFontSize": 11, "columns": form.legends, "columnPadding": 18},
        "title": {"color": INK, "fontSize": 12},
    }  # fmt: skip
    spec = chart.to_dict()
    spec["config"] = config
    for panel in spec.get("vconcat", [spec]):
        panel |= {"width": form.width, "height": panel.get("height", HEIGHT)}
    drawing = vl_convert.vegalite_to_svg(spec, vl_version="v6.1")
    for sentinel, name in NAMED.items():
        drawing = drawing.replace(sentinel, f"var(--{name})")
    return drawing


def page(lake: Path) -> str:
    with lakes.opened(lake, read_only=True) as con:

        def rows(query: str) -> list[dict]:
            cursor = con.execute(query)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, map(plain, row), strict=True)) for row in cursor.fetchall()]

        figures = "".join(f"<div><b>{value:,}</b><span>{escape(name)}</span></div>" for name, value in con.execute(FIGURES).fetchall())
        sections = []
        for title, words, name, draw in PLOTS:
            found = rows(ROWS[name])
            body = drawn(draw(found if draw in (revenue, prices) else alt.Data(values=found))) if found else "<p>Nothing of this has happened yet.</p>"
            sections.append(f"<section><h2>{escape(title)}</h2><p>{escape(words)}</p>{body}</section>")
        first, last = con.execute("SELECT min(happened_at), max(happened_at) FROM landed.event").fetchone()
    sub = f"{first:%d %B %Y} to {last:%d %B %Y}, from the platform's topics. Built {datetime.now(UTC):%d %B %Y, %H:%M} UTC."
    return PAGE.format(sub=escape(sub), figures=figures, plots="".join(sections))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="the lake's folder [lake]")
    lake = parser.parse_args().lake
    file = lake / "report.html"
    try:
        file.write_text(page(lake), "utf-8")
    except duckdb.CatalogException:
        raise SystemExit("The models were not built to their end here: run dbt first (README.md).") from None
    print(f"Wrote {file} ({file.stat().st_size / 1000:,.0f} kB).")


if __name__ == "__main__":
    main()
