"""The Celery application: `celery -A centre.config.celery worker|beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centre.config.settings")

app = Celery("amtsbruecke", task_cls="centre.config.tasks:StrictTask", strict_typing=True)
app.config_from_object("django.conf:settings.CELERY")
app.autodiscover_tasks()
