"""The operator's program, for every deployment: it knows addresses and a token, and nothing of the machine."""
