"""One run of a job: the call of the hub API, made in this process. What it answers is not kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.db import InterfaceError, OperationalError

from connectors import hub, hub_paths
from connectors.connection import Connection
from connectors.errors import ConnectorError
from connectors.records import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from instances.configuration import connection_of
from instances.errors import InvalidRequest
from polling import jobs
from polling.job_requests import operation_of, path_of
from polling.jobs import JobClaim
from polling.models import Job
from polling.schedule import LostLease

logger = logging.getLogger(__name__)

LONGEST_ERROR = 1_000


def run(claim: JobClaim) -> None:
    """Raises OperationalError or InterfaceError when the database is gone."""
    try:
        claim, job = jobs.begin(claim)
    except LostLease:
        logger.info("job not run, its claim is lost", extra={"job": claim.job_id})
        return
    extra = {"job": job.pk, "instance": job.instance_id}
    try:
        call(connection_of(job.instance), job)
    except (ConnectorError, InvalidRequest) as error:
        said = f" ({error.provider_message})" if error.provider_message else ""
        jobs.failed(claim, f"{error}{said}"[:LONGEST_ERROR].replace("\x00", ""))
        logger.info("job failed", extra={**extra, "error": type(error).__name__})
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        jobs.failed(claim, "A fault of ours; the log has it.")
        logger.exception("job failed by a fault of ours", extra=extra)
    else:
        jobs.succeeded(claim)
        logger.info("job done", extra=extra)


def call(connection: Connection, job: Job) -> None:
    """Raises the errors of `connectors.errors`, and InvalidRequest where the path no longer leads anywhere."""
    target = hub_paths.locate(connection.element, path_of(job.uri), transformations=connection.transformations)
    fields: Mapping[str, Any] = job.body or {}
    record_id = target.record_id or ""
    match operation_of(target, job.method):
        case "list":
            _list(connection, target.collection, job.query)
        case "get":
            hub.get(connection, target.collection, record_id)
        case "create":
            hub.create(connection, target.collection, fields)
        case "replace":
            hub.replace(connection, target.collection, record_id, fields)
        case "update":
            hub.update(connection, target.collection, record_id, fields)
        case "delete":
            hub.delete(connection, target.collection, record_id)


def _list(connection: Connection, collection: str, query: Mapping[str, str]) -> None:
    size = query.get("pageSize", "")
    hub.find(
        connection,
        collection,
        where=query.get("where"),
        page=_number(query.get("page", ""), default=1),
        page_size=_number(size, default=DEFAULT_PAGE_SIZE),
        order_by=query.get("orderBy") or None,
        fields=[name.strip() for name in query.get("fields", "").split(",") if name.strip()],
    )


def _number(text: str, *, default: int) -> int:
    is_number = text.isascii() and text.isdecimal() and 0 < len(text) <= 6
    return max(1, min(int(text), LARGEST_PAGE_SIZE * 1_000)) if is_number else default
