"""What an administrator does: the catalogue, the practitioners, everybody's orders."""
