"""The pure rules: who is told what, when it is due and when it is no longer useful. No I/O, no clock."""
