"""The interface's own words as people read them: statuses, reasons, what happened, and why something was refused."""

from booking_gateway.words.translations import mark as _

SAID = {
    # what is sold
    "counseling": _("Counselling"),
    "verification": _("Verification"),
    # statuses of a Transaction
    "awaiting_payment": _("Awaiting payment"),
    "paid": _("Paid"),
    "refunded": _("Refunded"),
    "expired": _("Expired"),
    # statuses of a session, and of both
    "pending_negotiation": _("Waiting for a schedule"),
    "scheduled": _("Scheduled"),
    "on_progress": _("In progress"),
    "completed": _("Completed"),
    "canceled": _("Canceled"),
    "failed": _("Failed"),
    # reasons
    "canceled_by_member": _("The member canceled"),
    "canceled_by_practitioner": _("The practitioner canceled"),
    "other": _("Another reason"),
    "technical": _("A technical problem"),
    "no_show_member": _("The member did not come"),
    "no_show_practitioner": _("The practitioner did not come"),
    "practitioner_timeout": _("The practitioner did not answer in time"),
    "payment_reversed": _("The payment was taken back"),
    # a session's story
    "ScheduleRequested": _("A schedule was asked for"),
    "SessionScheduled": _("The schedule was set"),
    "SessionRescheduled": _("The schedule was changed"),
    "PractitionerChanged": _("Another practitioner took over"),
    "SessionStarted": _("The session began"),
    "ResultUploaded": _("The result was uploaded"),
    "ResultReplaced": _("The result was replaced"),
    "SessionCanceled": _("The session was canceled"),
    "SessionFailed": _("The session failed"),
    # an order's story
    "TransactionCreated": _("Ordered"),
    "PractitionerAssigned": _("The practitioner was set"),
    "PractitionerReassigned": _("Another practitioner took over"),
    "TransactionPaid": _("Paid"),
    "PaymentNeedsReview": _("Somebody must look at a payment"),
    "PaymentReviewSettled": _("The payment was looked at"),
    "TransactionExpired": _("Nobody paid in time"),
    "TransactionCanceled": _("The order was canceled"),
    "RefundRequested": _("A refund was asked for"),
    "TransactionRefunded": _("The money went back"),
    "RefundFailed": _("The refund failed"),
    "system": _("By itself"),
    "service": _("Another service"),
    # roles
    "member": _("Member"),
    "practitioner": _("Practitioner"),
    "admin": _("Administrator"),
}
"""By the value as the interface has it. One that is not here is shown as it is."""

REFUSALS = {
    "wrong_status": _("This is no longer possible: the status has changed. Below is how it is now."),
    "stale_version": _("Somebody changed this after you opened it. Below is how it is now; look, then decide again."),
    "changed_meanwhile": _("Somebody changed this at the same moment. Please try again."),
    "overlap": _("This time is taken."),
    "invalid_time": _("This time cannot be."),
    "invalid_link": _("This link can't be used."),
    "invalid_reason": _("Please give a reason."),
    "invalid_request": _("Please look at what is marked."),
    "active_session_exists": _("There is a session for this order already."),
    "transaction_used": _("This order has had its session."),
    "transaction_not_paid": _("The payment has not arrived yet. Please wait a moment, then try again."),
    "product_not_available": _("This service is not sold any more. Please choose another one."),
    "practitioner_not_available": _("This practitioner takes no clients now. Please choose another one."),
    "own_practitioner": _("You can't buy a session with yourself."),
    "too_many_unpaid": _("You have too many unpaid orders. Pay or cancel one of them first."),
    "session_started": _("The session has begun already."),
    "not_refundable": _("There is nothing to give back."),
    "same_practitioner": _("This practitioner has it already."),
    "refund_in_progress": _("The money is on its way back already."),
    "person_erased": _("This account was erased."),
    "forbidden": _("This is not yours to do."),
    "not_found": _("There is nothing here, or it is not yours."),
    "idempotency_key_reused": _("This form was sent before with other content. Please open it anew."),
    "not_yet_visible": _("The latest change is not visible everywhere yet. Please try again in a moment."),
    "rate_limited": _("That was too fast. Please wait a moment, then try again."),
    "too_many_feeds": _("You have too many calendar addresses. Take one away first."),
    "invalid_text": _("This text holds characters that can't be kept."),
}
"""By the problem's code: what is wrong, and what to do next."""

ON_ITS_WAY = _("Your payment has arrived and is being passed on. Please ask again in a moment.")
AWAY = _("This part of the platform does not answer now. Nothing is lost; please try again in a moment.")
UNKNOWN = _("This was refused.")

FIELDS = {
    "missing": _("Please fill this in."),
    "too_short": _("Please fill this in."),
    "too_long": _("This is too long."),
    "malformed": _("This is not written as it should be."),
    "wrong_type": _("This is not written as it should be."),
    "not_allowed": _("This can't be chosen."),
    "out_of_range": _("This is too small or too large."),
    "invalid": _("This can't be used."),
    "invalid_time": _("It must lie ahead, a year at most, last 5 minutes to 8 hours, and end after it begins."),
    "invalid_link": _("Please paste the whole link of Google Meet, Zoom or Microsoft Teams, as the meeting shows it."),
    "result_link:invalid_link": _("Please paste the whole link of the file in Google Drive, as sharing shows it."),
    "invalid_reason": _("Please give a reason."),
    "phone:invalid": _("Please give a whole mobile number, such as +62 812 3456 7890."),
    "email:invalid": _("Please give a mail address, such as sari@example.com."),
    "photo_url:malformed": _("Please give an address that begins with https://."),
}
"""What is wrong with a field, by `field:code` or the code alone."""
