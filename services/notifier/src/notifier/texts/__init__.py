"""What people read: Indonesian and English, times in the reader's zone, safe whatever people are called."""
