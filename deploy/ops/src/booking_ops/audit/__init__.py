"""`booking-ops audit`: proves that nothing is lost, on a running system.

Each finding names what differs so that a person can act on it. Memory is constant in the length of the log: what the
topics hold is streamed into a temporary table of the store's own database and compared there, as sets.
"""
