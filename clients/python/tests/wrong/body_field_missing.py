# reportArgumentType: "practitioner_id" is required in "Purchase"  # noqa: ERA001
from booking_client import Booking


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    return await caller.create_transaction({"product_id": "a"})
