"""The ledger: one row per (event, recipient, channel, template), decided once, and every step it takes."""
