# reportGeneralTypeIssues: "conflicts" is not a defined key in "TransactionUsedProblem"
from booking_client import Booking, problems


async def wrong(booking: Booking) -> object:
    caller = booking.caller("a token")
    try:
        return await caller.start_session("x")
    except problems.TransactionUsed as refused:
        return refused.problem["conflicts"]
