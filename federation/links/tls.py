"""TLS 1.3 and nothing older, for every channel and server of this process.

gRPC's Python layer has no switch for the lowest TLS version. Its list of ciphers does the work: it
leaves TLS 1.2 just one suite, which needs an RSA certificate, and the federation's certificates are
P-256. An older handshake finds no common cipher; 1.3, whose suites are chosen separately, is all
that remains.

gRPC reads the list when it is imported, never again. So `federation` sets it before anything else,
and refuses to work in a process that has imported gRPC without it.
"""

import os
import sys
from typing import Final

from federation.links.errors import TlsUnsafe

_VARIABLE: Final = "GRPC_SSL_CIPHER_SUITES"
_TLS_1_3_ONLY: Final = "TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES256-GCM-SHA384"


def only_tls_1_3() -> None:
    """Leave no cipher to TLS 1.2; raise `TlsUnsafe` where it is too late for that."""
    if os.environ.get(_VARIABLE) == _TLS_1_3_ONLY:
        return
    if "grpc" in sys.modules:
        raise TlsUnsafe
    os.environ[_VARIABLE] = _TLS_1_3_ONLY
