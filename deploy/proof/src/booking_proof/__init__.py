"""What shows that the system works: the seed and the demo."""
