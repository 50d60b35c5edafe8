"""Limits of documents, plain and sealed. Pure."""

from federation.protocol.limits import MAX_BLOB_BYTES, MAX_DOCUMENT_BYTES

__all__ = [
    "MAX_ANNOUNCED_BYTES",
    "MAX_BLOB_BYTES",
    "MAX_DOCUMENT_BYTES",
]

#: What one peer may have under way: uploads that no letter has named yet.
MAX_ANNOUNCED_BYTES = 20 * MAX_BLOB_BYTES
