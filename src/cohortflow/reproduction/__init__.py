"""What a report must hold to be computed again, and whether it came out equal."""
