"""The practitioner list (L1 to L3): a read model of the session events and the profiles."""
