# reportAttributeAccessIssue: Cannot access attribute "list_bookings"
from booking_client import Booking


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    return await caller.list_bookings()
