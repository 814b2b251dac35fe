"""The whole system on this machine: what runs, where, with which secrets, and who watches it."""
