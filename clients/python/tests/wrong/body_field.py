# reportArgumentType: is not assignable to item "extra_items"
from booking_client import Booking


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    return await caller.create_transaction({"product_id": "a", "practitioner_id": "b", "practitionerId": "b"})
