# reportCallIssue: Argument missing for parameter "if_match"
from booking_client import Booking


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    return await caller.reschedule_session(
        "x", {"scheduled_date": "2026-12-01", "time_start": "09:00", "time_end": "10:00", "meeting_link": "https://x"}
    )
