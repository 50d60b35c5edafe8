"""The figures of the protocol, in one place. Both sides keep to them; `Welcome` may narrow them."""

import re
from datetime import timedelta
from typing import Final

from centre.keys.blobs import CHUNK_SIZE, sealed_size

KIB: Final = 1024
MIB: Final = 1024 * KIB

PROTOCOL_VERSIONS: Final = (1,)

# A reason as a peer tells it, also one that is not known here.
REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,59}")

# A letter. Documents travel beside it, so that a batch stays small.
MAX_ITEM_BYTES: Final = 1 * MIB
MAX_PAYLOAD_BYTES: Final = 960 * KIB
MAX_BLOBS: Final = 64
MAX_TRACEPARENT: Final = 55
MAX_LIFETIME: Final = timedelta(days=366)
CLOCK_SKEW: Final = timedelta(minutes=5)
CENTRE_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
# Letters that one signature may cover. Each carries the way to it: 6 hashes.
MAX_SIGNED_TOGETHER: Final = 64

# A batch as a sender cuts it. The linger, not the limit, makes the batch (and 0 when a lone letter
# finds the link idle).
BATCH_ITEMS: Final = 64
BATCH_BYTES: Final = 512 * KIB
LINGER: Final = timedelta(milliseconds=8)

# What a receiver takes. A single letter may be larger than a sender's usual batch.
MAX_BATCH_ITEMS: Final = 256
MAX_BATCH_BYTES: Final = 2 * MIB
MAX_FRAME_BYTES: Final = 4 * MIB
CREDIT_MESSAGES: Final = 1024
CREDIT_BYTES: Final = 16 * MIB

# A receipt. One commit may cover several frames.
MAX_RECEIPT_ITEMS: Final = 4096
MAX_RECEIPT_BYTES: Final = 1 * MIB

# A document: what a chunk of an upload may hold, and the whole.
MAX_BLOB_FRAME_BYTES: Final = 2 * CHUNK_SIZE
MAX_DOCUMENT_BYTES: Final = 100 * 1000 * 1000
MAX_BLOB_BYTES: Final = sealed_size(MAX_DOCUMENT_BYTES)

# Words in a notice.
MAX_NOTICE_REASON: Final = 63
MAX_NOTICE_TEXT: Final = 1000
