"""Timers: each takes what is due by SKIP LOCKED and runs the ordinary command; several copies are harmless."""
