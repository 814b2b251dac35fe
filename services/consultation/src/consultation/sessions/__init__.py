"""The FeedbackSession: what it is, how it is stored and shown, its routes and its timers."""
