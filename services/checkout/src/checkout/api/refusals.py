"""Why a Transaction is not changed, as the document shows it (409); `transaction/decider.py` decides."""

from booking_web.problems import conflict
from checkout.transaction.decider import NOT_REFUNDABLE

CHANGED = conflict("changed_meanwhile", "It kept changing while this was decided. Try again.")
WRONG_STATUS = conflict("wrong_status", "That is not possible for a Transaction that is paid.", current_status="paid")
REFUND_IN_PROGRESS = conflict("refund_in_progress", "Its money is being returned.", current_status="paid")
LEFT = conflict("not_refundable", NOT_REFUNDABLE.detail)
NOT_AVAILABLE = conflict("practitioner_not_available", "This practitioner takes no clients now.")
OWN = conflict("own_practitioner", "Nobody buys a session from themselves.")

CREATE = (
    conflict("product_not_available", "This product is not sold now."),
    NOT_AVAILABLE,
    OWN,
    conflict("too_many_unpaid", "20 Transactions await payment already: pay or cancel one first."),
    CHANGED,
)
CANCEL = (WRONG_STATUS, CHANGED)
REFUND = (WRONG_STATUS, REFUND_IN_PROGRESS, LEFT, CHANGED)
REASSIGN = (
    WRONG_STATUS,
    REFUND_IN_PROGRESS,
    NOT_AVAILABLE,
    OWN,
    conflict("same_practitioner", "This is the practitioner it has."),
    conflict("session_started", "Its session is completed: the pair stays."),
    CHANGED,
)
