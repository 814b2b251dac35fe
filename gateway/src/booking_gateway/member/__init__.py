"""What a member does: choose, buy, pay, ask for a schedule."""
