"""Regular work on the trail."""

from celery import shared_task

from centre.audit import heads


@shared_task(scope="centre", name="audit.sign_heads")  # type: ignore[untyped-decorator]
def sign_heads() -> None:
    """Vouch for what has been written since the last time."""
    heads.sign()
