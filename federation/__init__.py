"""What crosses the border between centres."""
