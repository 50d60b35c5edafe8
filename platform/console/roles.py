"""Turns this process into one of the centre's: its login role, then Django."""

import os
from typing import Literal

type ProcessName = Literal["web", "worker", "federation", "owner"]


def become(process: ProcessName, *requirements: str, at_once: bool = False) -> None:
    """Use the database login of `process` and load Django; say what the environment lacks.

    Must come before the first import of anything that reads the settings. Who requires the
    `master_key_file` is told at once what is wrong with that file. With `at_once` a database that
    does not answer is an error now: a person waits for the answer. Processes that serve have more
    patience.
    """
    os.environ["AMTSBRUECKE_PROCESS"] = process
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centre.config.settings")
    import django
    from django.conf import settings

    from centre.keys.wrapping import MasterKey
    from console import logs

    settings.AMTSBRUECKE.require(*requirements)
    if "master_key_file" in requirements and (path := settings.AMTSBRUECKE.master_key_file):
        MasterKey.from_file(path)
    django.setup()
    logs.configure(as_json=settings.AMTSBRUECKE.log_json, debug=settings.AMTSBRUECKE.debug)
    if at_once:
        import psycopg

        psycopg.connect(settings.AMTSBRUECKE.database_url, connect_timeout=5).close()
