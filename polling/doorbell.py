"""Ask for a sweep now. Harmless when it is lost, doubled or late: beat sweeps anyway."""

from __future__ import annotations

import logging
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError

logger = logging.getLogger(__name__)

# Whoever saves an instance waits this long, at most, for a broker that does not answer.
PATIENCE_SECONDS = 1.0

POLLS, BULK_QUERIES = "polling.tasks.sweep", "polling.tasks.sweep_bulk_queries"
JOBS = "polling.tasks.sweep_jobs"


def ring_on_commit(task: str = POLLS) -> None:
    """Once this transaction is committed, what is due begins without waiting for beat."""
    transaction.on_commit(partial(ring, task), robust=True)


def ring(task: str = POLLS) -> None:
    """Send one sweep. A broker that is down costs about a second and a line in the log."""
    connection = current_app.connection_for_write(
        connect_timeout=PATIENCE_SECONDS,
        transport_options={
            **current_app.conf.broker_transport_options,
            "socket_connect_timeout": PATIENCE_SECONDS,
            "socket_timeout": PATIENCE_SECONDS,
            "max_retries": 0,
        },
    )
    trouble: tuple[type[BaseException], ...] = (
        OSError,
        KombuError,
        *connection.connection_errors,
        *connection.channel_errors,
    )
    try:
        with connection:
            current_app.send_task(task, queue="polling", expires=10, connection=connection, ignore_result=True)
    except trouble as error:
        logger.info("polling not woken, beat will", extra={"task": task, "error": type(error).__name__})
