"""The doors of the operator: command line, engines, supervisor, health, metrics."""
