"""Limits of documents, plain and sealed. Pure."""

from centre.keys.blobs import sealed_size

#: The largest document that is exchanged, plain and sealed.
MAX_DOCUMENT_BYTES = 100 * 1000 * 1000
MAX_BLOB_BYTES = sealed_size(MAX_DOCUMENT_BYTES)

#: What one municipality may store, unless the operator says otherwise (`BLOB_QUOTA_BYTES`).
DEFAULT_QUOTA_BYTES = 50 * 1000**3
#: What one peer may have under way: uploads that no letter has named yet.
MAX_ANNOUNCED_BYTES = 20 * MAX_BLOB_BYTES
