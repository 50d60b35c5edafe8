"""Cases in a municipality's schema.

`Case` holds what lists and decisions need, `RequestContent` what the request says, `CaseMessage`
every message with its exact bytes, `CaseEvent` what people read as the timeline.
"""

from django.db import models

from centre.kernel.ids import new_id
from tenants.cases.graph import Side, State
from tenants.cases.lifecycle import Standing


class Case(models.Model):
    """One request as this municipality sees it. `id` is the same at both sides."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    #: What people quote; given by the requesting side, the same at both.
    reference = models.CharField(max_length=40)
    side = models.CharField(max_length=10)
    kind = models.CharField(max_length=40)
    state = models.CharField(max_length=16)
    #: The open query, by the id of its message.
    query_id = models.UUIDField(null=True)
    #: Grows with every change; who writes must have seen the newest.
    version = models.IntegerField(default=1)

    #: None only in drafts.
    other_authority = models.UUIDField(null=True)
    other_name = models.CharField(max_length=200, blank=True)
    own_reference = models.CharField(max_length=120, blank=True)
    other_reference = models.CharField(max_length=120, blank=True)
    #: Messages sent to the present other authority.
    out_sequence = models.IntegerField(default=0)
    #: Entries of the message log, in the order in which they took effect here.
    log_length = models.IntegerField(default=0)

    debtor = models.CharField(max_length=300, blank=True)
    total_cents = models.BigIntegerField(default=0)
    urgent = models.BooleanField(default=False)
    danger = models.BooleanField(default=False)
    limitation_end = models.DateField(null=True)
    #: What the search looks through, in lower case.
    search = models.TextField(blank=True)

    #: When this state began, and by when it should end (`tenants.cases.deadlines`).
    state_since = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    #: A message of ours did not get through: the machine's reason.
    trouble = models.CharField(max_length=63, blank=True)

    reason = models.CharField(max_length=40, blank=True)
    result = models.CharField(max_length=40, blank=True)
    collected_cents = models.BigIntegerField(default=0)
    costs_cents = models.BigIntegerField(default=0)

    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    #: Sent by the requesting, or arrived at the requested side.
    opened_at = models.DateTimeField(null=True)
    #: The receiving centre has signed for the request.
    delivered_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["side", "state", "-urgent", "created_at", "id"], name="cases_by_urgency"
            ),
            models.Index(fields=["created_at", "id"], name="cases_by_age"),
            models.Index(fields=["due_at", "id"], name="cases_by_due_date"),
            models.Index(fields=["other_authority", "created_at", "id"], name="cases_by_authority"),
            models.Index(fields=["opened_at"], name="cases_by_opening"),
            models.Index(fields=["reference"], name="cases_by_reference"),
        ]

    @property
    def standing(self) -> Standing:
        return Standing(side=Side(self.side), state=State(self.state), query_id=self.query_id)


class RequestContent(models.Model):
    """What the request says: a `RequestDraft`, written by `tenants.cases.wire`."""

    case = models.OneToOneField(
        Case, on_delete=models.CASCADE, primary_key=True, related_name="content"
    )
    record = models.BinaryField()


class Direction(models.TextChoices):
    OUT = "out"
    IN = "in"


class Outcome(models.TextChoices):
    """What became of a message of ours; those of others are `RECEIVED`."""

    WAITING = "waiting"
    RELAYED = "relayed"
    #: Refused, expired, parked, or not processed by the recipient.
    FAILED = "failed"
    #: Given up, or replaced: corrected, or written anew.
    CANCELLED = "cancelled"
    RECEIVED = "received"


class CaseMessage(models.Model):
    """A message of a case, with the bytes that were sealed or opened. Evidence: never deleted."""

    #: The id under which it travels.
    id = models.UUIDField(primary_key=True)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="messages")
    #: Place in the log of this side.
    number = models.IntegerField()
    direction = models.CharField(max_length=3, choices=Direction)
    kind = models.CharField(max_length=40)
    schema_version = models.IntegerField()
    #: Place among the sender's messages in this case.
    sequence = models.IntegerField()
    #: To whom, or from whom.
    other_authority = models.UUIDField()
    payload = models.BinaryField()
    created_at = models.DateTimeField()
    outcome = models.CharField(max_length=9, choices=Outcome)
    reason = models.CharField(max_length=63, blank=True)
    outcome_at = models.DateTimeField(null=True)
    #: The message of ours whose words this one says again: its letter never got there.
    repeats = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("case", "number"), name="cases_log_is_in_order"),
        ]


class CaseEvent(models.Model):
    """One line of a case's timeline. Only ever added."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    #: Whose doing it was.
    side = models.CharField(max_length=10)
    by = models.CharField(max_length=200)
    #: A verb, a message kind or `note`.
    what = models.CharField(max_length=40)
    label = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    message_id = models.UUIDField(null=True)

    class Meta:
        indexes = [models.Index(fields=["case", "at", "id"], name="cases_timeline")]


class CaseCounter(models.Model):
    """The last running number of a year."""

    year = models.IntegerField(primary_key=True)
    last = models.IntegerField(default=0)
