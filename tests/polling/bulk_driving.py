"""Bulk downloads as a worker runs them."""

from __future__ import annotations

from typing import Any

from connectors.sandbox import Sandbox
from connectors.selection import parse
from instances.models import Instance
from polling import bulk_queries, bulk_run
from polling.models import BulkQuery
from tests.factories import InstanceFactory


def instance_at(sandbox: Sandbox, **columns: Any) -> Instance:
    """An instance of the sandbox's account, as provisioning leaves it."""
    sent = {
        "baseUrl": sandbox.base_url,
        "company": sandbox.company,
        "public.key": sandbox.public_key,
        "private.key": sandbox.private_key,
        **columns.pop("sent", {}),
    }
    return InstanceFactory.create(sent=sent, **columns)


def asked(instance: Instance, text: str, *, callback_url: str = "") -> BulkQuery:
    return bulk_queries.create(instance=instance, selection=parse(text), callback_url=callback_url)


def turn(query: BulkQuery, *, pages: int = 100, page_size: int = 5) -> BulkQuery:
    """One turn now, whatever the schedule says."""
    BulkQuery.objects.filter(pk=query.pk).update(next_step_at=query.created_at, leased_until=None)
    [claimed] = [one for one in bulk_queries.claim() if one.query_id == query.pk]
    bulk_run.go_on(claimed, pages=pages, page_size=page_size)
    return BulkQuery.objects.get(pk=query.pk)
