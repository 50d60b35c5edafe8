"""Blobs: sealed documents, on their way and at rest."""

from django.apps import AppConfig


class BlobsConfig(AppConfig):
    name = "federation.blobs"
    label = "blobs"
    verbose_name = "Blobs"
