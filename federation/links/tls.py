"""TLS 1.3 and nothing older, for every channel and server of this process.

gRPC's Python layer has no switch for the lowest TLS version. The cipher list, which names the
suites of TLS 1.2 only in passing, does: it allows there just one that needs an RSA certificate, and
the federation's certificates are P-256. So an older handshake finds no common cipher, and 1.3, whose
suites are chosen separately, is all that is left. The list is read once per process, at its first
handshake: import this package before anything speaks gRPC.
"""

import os

_TLS_1_3_ONLY = "TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES256-GCM-SHA384"


def only_tls_1_3() -> None:
    """Leave no cipher to TLS 1.2. Called when `federation.links` is imported."""
    os.environ["GRPC_SSL_CIPHER_SUITES"] = _TLS_1_3_ONLY
