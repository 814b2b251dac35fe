"""FeedbackSessions and assessments."""
