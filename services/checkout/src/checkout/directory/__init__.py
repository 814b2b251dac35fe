"""Who people are now: contacts, kept apart from everything else (E4), and practitioners' public profiles."""
