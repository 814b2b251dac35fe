# reportAttributeAccessIssue: Cannot access attribute "body" for class "NotModified"
from booking_client import Booking


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    read = await caller.get_session("x", if_none_match="3")
    return read.body
