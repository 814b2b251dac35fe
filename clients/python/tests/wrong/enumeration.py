# reportArgumentType: "Literal['schedule']" is not assignable to type "Literal['pending_negotiation']"
from booking_client import Booking


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    return await caller.list_sessions(status=["schedule"]).first()
