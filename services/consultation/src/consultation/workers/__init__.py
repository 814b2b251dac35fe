"""The timers: what happens by itself when nobody acts in time."""
