"""Jobs that run by the clock, and bulk downloads."""

from __future__ import annotations

from django.contrib import admin

from instances.console.lists import OfOneOrganization
from polling.models import BulkQuery, Job


@admin.register(Job)
class JobAdmin(OfOneOrganization):
    organization_lookup = "instance__organization"
    instance_lookup = "instance"
    tab = "jobs"
    list_display = ("name", "instance", "method", "uri", "cron", "is_active", "next_run_at", "last_status")
    list_filter = ("is_active", "last_status")
    list_select_related = ("instance",)
    search_fields = ("name", "=instance__id", "instance__name")
    ordering = ("-id",)


@admin.register(BulkQuery)
class BulkQueryAdmin(OfOneOrganization):
    organization_lookup = "instance__organization"
    instance_lookup = "instance"
    tab = "bulk"
    list_display = ("id", "instance", "collection", "state", "record_count", "created_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("instance",)
    search_fields = ("=id", "=instance__id", "collection")
    ordering = ("-id",)
