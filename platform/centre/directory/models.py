from typing import ClassVar

from django.db import models


class DirectorySnapshot(models.Model):
    """A version of the directory, as signed. All are kept: "what did it say then" has an answer."""

    objects: ClassVar[models.Manager["DirectorySnapshot"]] = models.Manager()

    version = models.PositiveBigIntegerField(primary_key=True)
    signed = models.BinaryField()
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    applied_at = models.DateTimeField()


class CentreEntry(models.Model):
    """At the umbrella: what a centre has registered last, and whether it may take part."""

    objects: ClassVar[models.Manager["CentreEntry"]] = models.Manager()

    centre = models.CharField(max_length=40, primary_key=True)
    signed = models.BinaryField()
    suspended = models.BooleanField(default=False)
    registered_at = models.DateTimeField()
