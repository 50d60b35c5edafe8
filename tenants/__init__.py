"""What belongs to one municipality, and the doors that its people use."""
