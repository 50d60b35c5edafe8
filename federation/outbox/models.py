"""What waits for other centres, how far each link has come, and what was signed for.

Tenants add letters in their own transactions. The dispatch process numbers and sends them with SQL
of its own (`federation.dispatch.sql`). A letter has no state column: its state follows from its
number, the link's position and, if something went wrong, its dead letter.
"""

from django.db import models
from django.db.models.functions import Now

from centre.kernel.ids import new_id
from centre.tenancy.fields import TenantRoleField


class Letter(models.Model):
    """A sealed and signed envelope. Its bytes never change; it is kept after delivery."""

    #: The message id that the signature covers; UUIDv7, so it also tells the order of acceptance.
    id = models.UUIDField(primary_key=True)
    tenant_role = TenantRoleField(kept=True)
    #: The receiving centre. Our own centre is a link like any other.
    link = models.CharField(max_length=63)
    recipient = models.UUIDField()
    case_id = models.UUIDField()
    case_sequence = models.IntegerField()
    kind = models.CharField(max_length=40)
    #: Bytes of the envelope, so that a batch can be measured without reading it.
    size = models.IntegerField()
    envelope = models.BinaryField()
    digest = models.BinaryField()
    #: Not to be numbered yet: until `not_before` is over and its documents are uploaded.
    held = models.BooleanField(db_default=False)
    not_before = models.DateTimeField(null=True)
    #: Why the peer wanted it later when it came last.
    deferred_for = models.CharField(max_length=40, db_default="")
    #: Its position on the link. None: not numbered yet. 0: taken out of the queue.
    lseq = models.BigIntegerField(null=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                "link",
                "tenant_role",
                "id",
                name="outbox_queue",
                condition=models.Q(lseq__isnull=True, held=False),
            ),
            models.Index(
                "link",
                "not_before",
                name="outbox_held",
                condition=models.Q(lseq__isnull=True, held=True),
            ),
            models.Index(
                "link",
                "expires_at",
                name="outbox_expiry",
                condition=models.Q(lseq__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("link", "lseq"),
                name="outbox_position_is_unique",
                condition=models.Q(lseq__gt=0),
            ),
        ]


class LinkState(models.TextChoices):
    #: Letters go out as they come.
    ACTIVE = "active"
    #: An operator has stopped it; letters queue.
    PAUSED = "paused"


class Link(models.Model):
    """The way to one centre: position, owner and back-off. The one row written for each batch."""

    name = models.CharField(primary_key=True, max_length=63)
    state = models.CharField(max_length=6, choices=LinkState, db_default=LinkState.ACTIVE)
    #: The number that the next letter gets.
    next_lseq = models.BigIntegerField(db_default=1)
    #: Every number up to this one is covered by a verified receipt.
    acked_lseq = models.BigIntegerField(db_default=0)
    #: Hash of the newest receipt's body, which the next receipt must name.
    receipt_hash = models.BinaryField(db_default=b"")

    #: The dispatch process that works on the link until `lease_until`, by the database's clock.
    owner = models.CharField(max_length=100, db_default="", blank=True)
    #: Grows with each change of owner; what an earlier owner still writes is not written.
    fence = models.BigIntegerField(db_default=0)
    lease_until = models.DateTimeField(null=True)

    #: Since when nothing gets through.
    failing_since = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    backoff_ms = models.IntegerField(db_default=0)
    last_error = models.CharField(max_length=60, db_default="", blank=True)
    last_error_detail = models.CharField(max_length=500, db_default="", blank=True)
    last_contact_at = models.DateTimeField(null=True)
    #: Letters that one signature may cover there, as the peer said when it last welcomed us.
    max_signed_together = models.IntegerField(db_default=0)

    #: The search for a letter that kills calls: up to which number, how often, frames how large.
    suspect_lseq = models.BigIntegerField(db_default=0)
    suspect_kills = models.SmallIntegerField(db_default=0)
    frame_limit = models.SmallIntegerField(db_default=0)


class Receipt(models.Model):
    """What a peer has signed for a range of positions. Verified before stored, never changed."""

    pk = models.CompositePrimaryKey("link", "last_lseq")
    link = models.CharField(max_length=63)
    first_lseq = models.BigIntegerField()
    last_lseq = models.BigIntegerField()
    #: The signed bytes and the signature over them.
    body = models.BinaryField()
    signature = models.BinaryField()
    kid = models.CharField(max_length=16)
    #: The leaves of the Merkle tree, 32 bytes each: evidence of one letter needs its neighbours'.
    leaves = models.BinaryField()
    issued_at = models.DateTimeField()
    received_at = models.DateTimeField()


class Attempt(models.Model):
    """A call to a peer that ended badly, and what was under way."""

    id = models.UUIDField(primary_key=True, default=new_id)
    link = models.CharField(max_length=63)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    #: The positions that had been sent without a receipt, if any.
    first_lseq = models.BigIntegerField(null=True)
    last_lseq = models.BigIntegerField(null=True)
    #: gRPC's status as its word, or ours.
    code = models.CharField(max_length=60)
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [models.Index("link", "ended_at", name="outbox_attempts")]


class DeadState(models.TextChoices):
    """Why a letter is dead. The words of `DeliveryState`."""

    REFUSED = "refused"
    EXPIRED = "expired"
    PARKED = "parked"


class Resolution(models.TextChoices):
    """What was done about a dead letter."""

    #: Put back into the queue.
    RESENT = "resent"
    #: Given up; the tenant fills its place in the case.
    CANCELLED = "cancelled"
    #: A receipt came after all.
    RELAYED = "relayed"


class DeadLetter(models.Model):
    """A letter that was not delivered, with the reason. Kept, also when it is resolved."""

    id = models.UUIDField(primary_key=True, default=new_id)
    message_id = models.UUIDField()
    tenant_role = TenantRoleField(kept=True)
    link = models.CharField(max_length=63)
    #: The position it had when it died.
    lseq = models.BigIntegerField(null=True)
    case_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    state = models.CharField(max_length=7, choices=DeadState)
    reason = models.CharField(max_length=60)
    detail = models.CharField(max_length=500, blank=True, db_default="")
    died_at = models.DateTimeField()
    resolution = models.CharField(max_length=9, choices=Resolution, db_default="", blank=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=200, db_default="", blank=True)
    #: The tenant was told of the death, or of what was done about it.
    told = models.BooleanField(db_default=False)
    #: Not to be told before this moment: the tenant could not be told the last time.
    told_after = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("message_id",),
                name="outbox_dies_once",
                condition=models.Q(resolution=""),
            ),
        ]
        indexes = [
            models.Index("message_id", name="outbox_dead_message"),
            models.Index("link", "lseq", name="outbox_dead_position"),
            models.Index("died_at", name="outbox_dead_open", condition=models.Q(resolution="")),
            models.Index("tenant_role", name="outbox_dead_untold", condition=models.Q(told=False)),
        ]


class Upload(models.Model):
    """A sealed document that must be at the receiving centre before its letter may go."""

    pk = models.CompositePrimaryKey("message_id", "digest")
    message_id = models.UUIDField()
    tenant_role = TenantRoleField(kept=True)
    link = models.CharField(max_length=63)
    sender = models.UUIDField()
    recipient = models.UUIDField()
    digest = models.BinaryField()
    size = models.BigIntegerField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                "link",
                "message_id",
                name="outbox_uploads",
                condition=models.Q(done_at__isnull=True),
            ),
        ]


class Alarm(models.Model):
    """Something that a person must see: never content, never raised for what mends itself."""

    id = models.UUIDField(primary_key=True, default=new_id)
    code = models.CharField(max_length=60)
    link = models.CharField(max_length=63, blank=True)
    #: None: it concerns the whole centre.
    tenant_role = TenantRoleField(kept=True, null=True)
    message_id = models.UUIDField(null=True)
    detail = models.CharField(max_length=500, blank=True)
    raised_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=200, db_default="", blank=True)

    class Meta:
        indexes = [
            models.Index(
                "raised_at",
                name="outbox_alarms_open",
                condition=models.Q(acknowledged_at__isnull=True),
            ),
        ]


class Dispatcher(models.Model):
    """A dispatch process that shows signs of life, so that several can share the links."""

    name = models.CharField(primary_key=True, max_length=100)
    alive_until = models.DateTimeField()


class OutcomePosition(models.Model):
    """Up to which position of a link the tenants were told of receipts."""

    link = models.CharField(primary_key=True, max_length=63)
    lseq = models.BigIntegerField(db_default=0)


class OutcomeDebt(models.Model):
    """Receipts that a tenant could not be told of yet; the others do not wait for it."""

    id = models.UUIDField(primary_key=True, default=new_id)
    link = models.CharField(max_length=63)
    #: Whose debt, by name: a worker pays it; the tenant itself never sees this row.
    debtor = models.CharField(max_length=63)
    first_lseq = models.BigIntegerField()
    last_lseq = models.BigIntegerField()
    attempts = models.SmallIntegerField(db_default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=500, db_default="", blank=True)

    class Meta:
        indexes = [models.Index("next_try_at", name="outbox_debts_due")]
