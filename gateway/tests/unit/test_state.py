"""The platform's figures: counted once, of a minute, with a gap where nobody knows."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from booking_gateway.state.chart import chart, rows
from booking_gateway.state.figures import FIGURES, figures, told
from booking_gateway.state.watch import Watch

NOW = datetime(2026, 12, 7, 2, 0, tzinfo=UTC)
SALES = """
# TYPE booking_http_request_seconds histogram
booking_http_request_seconds_count{method="GET",route="/v1/me",status="200"} 900.0
booking_http_request_seconds_count{method="POST",route="/v1/transactions",status="201"} COMMANDS
booking_http_request_seconds_count{method="POST",route="/v1/transactions",status="409"} 7.0
booking_relay_lag_events{topic="booking.checkout.transactions.v1"} 4.0
checkout_expiry_lateness_seconds 0.0
"""
MESSAGES = """
notifier_messages_due{channel="email"} 3.0
notifier_messages_due{channel="whatsapp"} 2.0
notifier_timer_lateness_seconds_sum{template="reminder_1h"} LATE
notifier_timer_lateness_seconds_count{template="reminder_1h"} FIRED
booking_consumer_lag_events{consumer="notifier",partition="0",topic="t"} 5.0
"""


def sales(at, commands):
    return told(SALES.replace("COMMANDS", str(commands)), at)


def messages(at, late=0.0, fired=0.0):
    return told(MESSAGES.replace("LATE", str(late)).replace("FIRED", str(fired)), at)


def parts(*processes):
    return [one.parts for one in processes]


def test_figures__are_of_a_minute_and_of_the_timers_that_fired_since():
    before, now = [sales(0, 10), messages(0, 100, 50)], [sales(30, 16), messages(30, 106, 53)]
    assert figures(before, now, parts(*now)) == {
        "commands": 12.0, "consumers": 5.0, "outbox": 4.0, "messages": 5.0, "timers": 2.0,
    }  # fmt: skip


def test_gauge__that_two_processes_tell_counts_once():
    now = [messages(0), messages(0)]
    assert figures([], now, parts(*now))["messages"] == 5.0


def test_counter__that_fell_began_anew():
    now = [sales(60, 6)]
    assert figures([sales(0, 100)], now, parts(*now))["commands"] == 6.0


def test_process__that_is_away_leaves_a_gap_in_its_own_figures_alone():
    whole = [sales(0, 10), messages(0)]
    found = figures(whole, [sales(10, 10), None], parts(*whole))
    assert {one for one in FIGURES if found[one] is None} == {"commands", "consumers", "messages", "timers"}
    back = figures([sales(10, 10), None], [sales(20, 10), messages(20)], parts(*whole))
    assert {one for one in FIGURES if back[one] is None} == {"commands", "timers"}, "nobody knows how they have grown"


def test_chart__is_broken_where_nobody_knew_and_where_nobody_looked():
    minutes = [(10, 1.0), (9, 2.0), (8, None), (7, 4.0), (6, 2.0), (2, 0.0)]
    points = [(NOW - timedelta(minutes=back), value) for back, value in minutes]
    drawn = chart(points, NOW, 60)
    assert drawn.lines == ["300.0,44.5 306.0,30.0", "318.0,1.0 324.0,30.0", "348.0,59.0 348.0,59.0"]
    assert (drawn.last, drawn.most) == (0.0, 4.0)


def test_chart__of_nothing_is_empty():
    assert chart([], NOW, 10).lines == []


def test_rows__are_the_highest_of_five_minutes():
    points = [(NOW - timedelta(minutes=back), value) for back, value in ((9, 7.0), (4, 1.0), (1, 3.0), (0, None))]
    table = rows(points, NOW)
    assert [value for _, value in table[:3]] == [3.0, 7.0, None]
    assert (len(table), table[0][0]) == (12, NOW - timedelta(minutes=5))


@pytest.mark.parametrize("answer", [httpx2.Response(503), httpx2.Response(200, text="booking_relay_lag_events{ 1")])
async def test_watch__keeps_an_hour_and_says_who_is_away(answer):
    def answers(request):
        return answer if request.url.host == "away" else httpx2.Response(200, text=SALES.replace("COMMANDS", "1"))

    watch = Watch(["http://here", "http://away"], seconds=900)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answers)) as client:
        for _ in range(6):
            await watch.round(client)
    assert len(watch.moments) == 4
    assert watch.moments[-1].away == ("http://away",)
