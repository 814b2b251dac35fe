"""`booking-ops restore`: what a store lost by a restore and its topics have, brought back."""
