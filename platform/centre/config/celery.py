"""The Celery application: `celery -A centre.config.celery worker|beat`."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centre.config.settings")

app = Celery("amtsbruecke", task_cls="centre.config.tasks:StrictTask", strict_typing=True)
app.add_defaults(lambda: settings.CELERY)
app.autodiscover_tasks()
