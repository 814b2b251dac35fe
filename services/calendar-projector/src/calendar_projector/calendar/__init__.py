"""What people read: events in a range, busy times, feeds."""
