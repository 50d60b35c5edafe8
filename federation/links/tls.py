"""TLS 1.3 and nothing older, for every channel and server of this process.

gRPC's Python layer has no switch for the lowest TLS version. Its list of ciphers does the work: it
leaves TLS 1.2 just one suite, which needs an RSA certificate, and the federation's certificates are
P-256. An older handshake finds no common cipher; 1.3, whose suites are chosen separately, is all
that remains. The list is read once per process, at its first handshake: import this package before
anything speaks gRPC.
"""

import os

_TLS_1_3_ONLY = "TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES256-GCM-SHA384"


def only_tls_1_3() -> None:
    """Leave no cipher to TLS 1.2. Called when `federation.links` is imported."""
    os.environ["GRPC_SSL_CIPHER_SUITES"] = _TLS_1_3_ONLY
