"""What has arrived, how far each link has come, and what was signed for it.

The gateway writes these rows with SQL of its own (`federation.gateway.sql`); the worker reads and
advances them in the scope of the tenant that they belong to.
"""

from django.db import models

from centre.tenancy.fields import TenantRoleField


class InboundState(models.TextChoices):
    """Where an inbound message stands."""

    #: Stored and receipted; a worker will apply it when `due_at` has come.
    PENDING = "pending"
    #: An earlier message of the same case and sender has not been applied yet.
    HELD = "held"
    #: Its effect and this state were committed together.
    APPLIED = "applied"
    #: Cannot be applied; a person decides. Later messages of its case and sender wait.
    PARKED = "parked"
    #: A person has decided that it will never be applied.
    DISCARDED = "discarded"


class InboundMessage(models.Model):
    """An envelope as it came, byte for byte, and what became of it.

    `(origin, id)` is unique for ever: that, with the digest, makes repeats harmless. Tenants may
    change only the columns from `state` on; the envelope is evidence.
    """

    # The id first: it alone is looked up too.
    pk = models.CompositePrimaryKey("id", "origin")
    #: The centre that represents the sender.
    origin = models.CharField(max_length=63)
    #: The message id that the sender's signature covers.
    id = models.UUIDField()
    tenant_role = TenantRoleField(kept=True)
    #: The link and position on which it came; no position if it came by the unary call.
    link = models.CharField(max_length=63)
    lseq = models.BigIntegerField(null=True)
    sender = models.UUIDField()
    case_id = models.UUIDField()
    #: Counts from 1 for each case and sender. 0: outside any order.
    case_sequence = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    envelope = models.BinaryField()
    digest = models.BinaryField()
    received_at = models.DateTimeField()

    state = models.CharField(max_length=9, choices=InboundState)
    #: Not before this moment, once it was tried in vain.
    due_at = models.DateTimeField()
    #: How often it was tried in vain.
    attempts = models.SmallIntegerField(db_default=0)
    #: Machine reason of the last failure, and words for an operator (never content).
    reason = models.CharField(max_length=60, db_default="", blank=True)
    detail = models.CharField(max_length=500, db_default="", blank=True)
    #: When it reached its last state.
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                "tenant_role",
                "due_at",
                name="inbox_pending",
                condition=models.Q(state=InboundState.PENDING),
            ),
            models.Index(
                "tenant_role",
                "case_id",
                "sender",
                "case_sequence",
                name="inbox_waiting",
                condition=models.Q(state__in=(InboundState.HELD, InboundState.PARKED)),
            ),
        ]


class CasePosition(models.Model):
    """Which message of a case and sender comes next; in the transaction of the effect."""

    pk = models.CompositePrimaryKey("tenant_role", "case_id", "sender")
    tenant_role = TenantRoleField(kept=True)
    case_id = models.UUIDField()
    sender = models.UUIDField()
    next_sequence = models.BigIntegerField()


class InboundLink(models.Model):
    """How far a peer's letters have come here; the one row that each commit moves on."""

    link = models.CharField(primary_key=True, max_length=63)
    #: Everything up to this position is durable here and receipted.
    in_lseq = models.BigIntegerField(db_default=0)
    #: Hash of the newest receipt's body; the next receipt names it.
    receipt_hash = models.BinaryField(db_default=b"")
    updated_at = models.DateTimeField()


class IssuedReceipt(models.Model):
    """What this centre has signed for a range of positions. Kept as evidence, never changed."""

    pk = models.CompositePrimaryKey("link", "first_lseq")
    link = models.CharField(max_length=63)
    first_lseq = models.BigIntegerField()
    last_lseq = models.BigIntegerField()
    #: The signed bytes and the signature over them.
    body = models.BinaryField()
    signature = models.BinaryField()
    kid = models.CharField(max_length=16)
    #: The leaves of the Merkle tree, 32 bytes each, one for each position.
    leaves = models.BinaryField()
    issued_at = models.DateTimeField()
