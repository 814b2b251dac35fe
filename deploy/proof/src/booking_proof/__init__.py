"""What shows that the system works: the audit, the judgement that it shares with the chaos runs, the seed, the demo."""
