"""`booking gameday`: incidents played on a stack of its own, each seen by its alarm's own expression and healed."""
