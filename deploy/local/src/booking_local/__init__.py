"""The booking command and the stack without Docker."""
