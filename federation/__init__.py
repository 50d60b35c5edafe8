"""What crosses the border between centres. See README.md."""

from federation.links.tls import only_tls_1_3

# Before any module below can import gRPC, which reads this once, when it is imported.
only_tls_1_3()
