"""Files of requests from finance systems: read, checked, and turned into requests, row by row."""
