"""What an erased person whose token is still valid gets here (E4)."""

from booking_web.problems import forbidden

ERASED = forbidden("person_erased", "This person was erased; nothing shows their calendar any more.")
