"""What Celery does for instances: forgetting old calls of the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from instances import usage


@shared_task(ignore_result=True)
def forget_old_calls(**_from_newer_releases: Any) -> None:
    close_old_connections()
    usage.forget_old(now=timezone.now(), kept=timedelta(days=settings.USAGE_DAYS))
