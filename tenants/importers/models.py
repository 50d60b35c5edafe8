"""Imports in a municipality's schema. What a row held is wiped as soon as it is a request."""

from typing import ClassVar, Final

from django.db import models

from centre.kernel.ids import new_id

#: The constraint that keeps a row from being imported twice, whoever tries.
IMPORTED_ONCE: Final = "importers_row_imported_once"


class RunState(models.TextChoices):
    CHECKING = "checking"
    #: Read and checked; a person decides whether it goes on.
    CHECKED = "checked"
    RUNNING = "running"
    FINISHED = "finished"
    #: Cannot go on; `problem` says why. What it has imported stays, and is known by its row.
    FAILED = "failed"
    DISCARDED = "discarded"


class ImportRun(models.Model):
    """One file. A file that was given before (by its digest) is not a second run."""

    objects: ClassVar[models.Manager["ImportRun"]] = models.Manager()

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    content = models.BinaryField()
    state = models.CharField(max_length=10, choices=RunState, default=RunState.CHECKING)
    problem = models.TextField(blank=True)
    #: What to know of a file that is imported all the same.
    remark = models.TextField(blank=True, default="", db_default="")
    #: Why a running import stands still at the moment; it goes on by itself.
    waiting = models.TextField(blank=True, default="", db_default="")
    #: Send the requests, or keep them as drafts.
    submit = models.BooleanField(default=True)

    actor_kind = models.CharField(max_length=20)
    actor_id = models.CharField(max_length=200)
    actor_name = models.CharField(max_length=200)

    headers = models.JSONField(default=list)
    delimiter = models.CharField(max_length=1, blank=True)
    encoding = models.CharField(max_length=20, blank=True)
    rows_total = models.IntegerField(default=0)
    sum_cents = models.BigIntegerField(default=0)

    #: Whether `services.start` was given a file that it knew; not stored.
    is_known = False

    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["digest"],
                condition=~models.Q(state__in=["discarded", "failed"]),
                name="importers_file_once",
            )
        ]
        indexes = [models.Index(fields=["-created_at", "id"], name="importers_newest")]


class RowState(models.TextChoices):
    GOOD = "good"
    FAULTY = "faulty"
    #: More than one authority may be meant, or none is known: a person decides.
    UNDECIDED = "undecided"
    #: Was imported before, by an earlier file; `case_id` is the case of then. So is a row whose
    #: draft was deleted and that a later file has brought again.
    REPEATED = "repeated"
    IMPORTED = "imported"


class ImportRow(models.Model):
    """What became of a row. `cells` and `draft` are emptied when it has become a request."""

    objects: ClassVar[models.Manager["ImportRow"]] = models.Manager()

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="rows")
    #: The first line of the row in the file.
    line = models.IntegerField()
    #: Who has the same key is the same request; empty where a row has none.
    key = models.CharField(max_length=64)
    #: Of everything that the row says, to tell whether a repeated one has changed.
    fingerprint = models.CharField(max_length=32, blank=True, default="", db_default="")
    state = models.CharField(max_length=10, choices=RowState)
    reference = models.CharField(max_length=200, blank=True)
    total_cents = models.BigIntegerField(default=0)
    cells = models.JSONField(default=dict)
    draft = models.BinaryField(default=b"")
    #: [{"header", "text", "hint", "value", "warning"}]
    faults = models.JSONField(default=list)
    #: [{"id", "name", "reason"}]
    candidates = models.JSONField(default=list)
    case_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "line"], name="importers_line_once"),
            models.UniqueConstraint(
                fields=["key"],
                condition=models.Q(state="imported"),
                name=IMPORTED_ONCE,
            ),
        ]
        indexes = [models.Index(fields=["run", "state", "line"], name="importers_rows_by_state")]
