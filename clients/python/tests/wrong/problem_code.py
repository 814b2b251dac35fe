# reportAttributeAccessIssue: "Overlaps" is not a known attribute of module
from booking_client import Booking, problems


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    try:
        return await caller.start_session("x")
    except problems.Overlaps:
        return None
