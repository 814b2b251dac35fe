"""The HTTP interface of consultation: parse, authorise, hand over; and the domain's errors as problems."""
