# reportCallIssue: Argument missing for parameter "body"
from booking_client import Booking


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    return await caller.request_session()
