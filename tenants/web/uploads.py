"""How much a browser may send.

Django writes uploads to temporary files before a page sees them. This handler stands first and
stops a request that sends more than any document may hold, before it fills the disk.
"""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest
from django.utils.translation import gettext as _

from federation.blobs.sizes import MAX_DOCUMENT_BYTES

#: Of the files of one request: one document of the largest size, or several small ones.
MOST_BYTES = MAX_DOCUMENT_BYTES
#: Beyond this we do not even read to the end to be able to say so.
_HOPELESS_BYTES = 4 * MOST_BYTES


class Limit(FileUploadHandler):
    """Counts what comes in and stops at `MOST_BYTES`."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self._received = 0
        self._hopeless = False

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803 -- Django's name
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        del input_data, META, boundary, encoding
        self._hopeless = content_length > _HOPELESS_BYTES

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        del start
        self._received += len(raw_data)
        if self._hopeless or self._received > MOST_BYTES:
            if self.request is not None:
                self.request.sent_too_much = True  # type: ignore[attr-defined]
            raise StopUpload(connection_reset=self._hopeless)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers that keep it."""


def was_too_much(request: HttpRequest) -> bool:
    """Say whether this request sent more than we take; the file that was too much is not here."""
    return bool(getattr(request, "sent_too_much", False))


def too_much() -> str:
    """Return what to tell who sent more than we take."""
    return _(
        "Das ist zu viel auf einmal: Alle Dateien zusammen dürfen höchstens %(most)s MB haben. "
        "Laden Sie große Dateien einzeln hoch, und teilen Sie, was für sich zu groß ist."
    ) % {"most": MOST_BYTES // 1_000_000}
