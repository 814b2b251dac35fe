"""What a practitioner keeps of themselves."""
