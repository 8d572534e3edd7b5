"""Replays: deliveries that are begun again, many at a time."""

from __future__ import annotations

from django.contrib import admin

from events.models import Replay
from instances.console.lists import OfOneOrganization


@admin.register(Replay)
class ReplayAdmin(OfOneOrganization):
    list_display = ("id", "state", "total", "begun", "rate", "created_by", "created_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("created_by",)
    ordering = ("-id",)
