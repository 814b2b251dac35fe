"""`booking seed`: a believable platform of any size.

People and catalogue come through the public interface. Sales and sessions, which reach months back, come as the same
events that commands make: decided by the services' own deciders with a clock in the past, written by their own
append statements, so that every constraint, row and mark is there as if it had happened.
"""
