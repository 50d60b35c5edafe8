"""One module for each command, named after it, with an attribute `command`."""
