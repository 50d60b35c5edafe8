"""Cases: requests for assistance as one municipality sees them, from either side."""
