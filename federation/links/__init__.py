"""Channels to other centres: mutual TLS 1.3, and nothing about what travels on them."""

from federation.links.tls import only_tls_1_3

only_tls_1_3()
