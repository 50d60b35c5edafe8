"""What a municipality knows of a document. The sealed bytes lie in `federation.blobs`."""

from django.db import models

from centre.kernel.ids import new_id


class Document(models.Model):
    """A document of a case, ours or received, and the key that opens it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    #: No foreign key: cases stand above documents.
    case_id = models.UUIDField()
    #: The message that it went or came with. None: not sent yet.
    message_id = models.UUIDField(null=True)
    received = models.BooleanField(default=False)
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    #: SHA-256 over the sealed bytes, their count, and the key.
    digest = models.BinaryField()
    sealed_size = models.BigIntegerField()
    key = models.BinaryField()
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["case_id", "created_at"], name="documents_of_case")]
