"""How the platform does, over the last hour."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Admin
from booking_gateway.state.chart import HEIGHT, WIDTH, chart, rows
from booking_gateway.state.figures import FIGURES, Figure
from booking_gateway.state.watch import Watch
from booking_gateway.words.translations import mark as _

router = APIRouter()
NAMES: dict[Figure, str] = {
    "commands": _("Changes a minute"),
    "consumers": _("Events that consumers have not taken yet"),
    "outbox": _("Events that are not in Kafka yet"),
    "messages": _("Messages that should have left"),
    "timers": _("Seconds that timers were late"),
}


@router.get("/admin/operations")
async def read_state(request: Request, _: Admin) -> Response:
    """A chart for each figure, all of them as a table, and who does not answer now."""
    watch: Watch = request.app.state.watch
    moments, now = watch.moments, datetime.now(UTC)
    points: dict[Figure, Any] = {one: [(at.at, at.figures[one]) for at in moments] for one in FIGURES}
    by_figure = [rows(points[one], now) for one in FIGURES]
    return page(
        request,
        "admin_state.html",
        charts=[(NAMES[one], chart(points[one], now, watch.seconds)) for one in FIGURES],
        size=(WIDTH, HEIGHT),
        away=moments[-1].away if moments else (),
        names=[NAMES[one] for one in FIGURES],
        table=[(row[0][0], [value for _at, value in row]) for row in zip(*by_figure, strict=True)],
    )
