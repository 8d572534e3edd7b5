"""The first thing a stack does: wait for the servers, bring the tables up to date, start the application."""

from __future__ import annotations

import os
import time
from xmlrpc.client import ServerProxy

import django
from django.core.management import call_command
from django.db import OperationalError, connection
from supervisor.xmlrpc import SupervisorTransport

from config import stack

SERVER_SECONDS = 60


def wait_for_database() -> None:
    """Raises OperationalError when it stays away."""
    deadline = time.monotonic() + SERVER_SECONDS
    while True:
        try:
            connection.ensure_connection()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    wait_for_database()
    # Several machines may boot over one database: the first migrates, the others wait for its lock and find it done.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('switchyard migrate'))")
        call_command("migrate", interactive=False, verbosity=0)
        cursor.execute("SELECT pg_advisory_unlock(hashtext('switchyard migrate'))")
    transport = SupervisorTransport(serverurl=f"unix://{stack.control_socket()}")
    supervisor = ServerProxy("http://supervisor", transport=transport).supervisor
    for process in supervisor.getAllProcessInfo():  # type: ignore[union-attr]
        if process["statename"] == "STOPPED" and process["name"] != "boot":  # type: ignore[index,call-overload]
            supervisor.startProcess(process["name"], False)  # type: ignore[index,call-overload]


if __name__ == "__main__":
    main()
