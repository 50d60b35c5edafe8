"""What one computing centre runs for all its municipalities."""
