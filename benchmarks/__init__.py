"""Measures the product and this machine with one command: `make bench`."""

import federation  # noqa: F401 -- before gRPC is loaded: it decides on TLS 1.3
