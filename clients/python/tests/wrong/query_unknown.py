# reportCallIssue: No parameter named "state"
from booking_client import Booking


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    return await caller.list_sessions(state="scheduled").first()
