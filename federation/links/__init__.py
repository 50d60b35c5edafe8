"""Channels to other centres: mutual TLS 1.3, and nothing about what travels on them."""
