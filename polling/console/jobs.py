"""Jobs: calls of the hub that are made by the clock."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.console.badges import badge
from instances.console.lists import OfOneOrganization
from instances.console.moments import ago
from polling.console import job_pages
from polling.console.instance_links import instance_link
from polling.models import Job


@admin.register(Job)
class JobAdmin(OfOneOrganization):
    organization_lookup = "instance__organization"
    instance_lookup = "instance"
    tab = "jobs"
    list_display = ("title", "of_instance", "call", "times", "state", "next_run", "last_run")
    list_display_links = None
    list_filter = ("is_active", "last_status")
    list_select_related = ("instance", "user")
    search_fields = ("name", "=instance__id", "instance__name")
    ordering = ("-id",)
    empty_title = "No jobs"
    empty_text = (
        "A job calls the hub of an instance at the times of a cron expression; clients make them with POST /jobs."
    )

    class Media:
        css = {"all": ["console/polling.css"]}

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<int:pk>/{action}/",
                self.admin_site.admin_view(partial(job_pages.act, action=action)),
                name=f"polling_job_{action}",
            )
            for action in job_pages.ACTIONS
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        return job_pages.show(request, self.get_object(request, object_id))

    @admin.display(description="job", ordering="name")
    def title(self, job: Job) -> SafeString:
        url = reverse("admin:polling_job_change", args=[job.pk])
        return format_html('<a class="console-link" href="{}" x-ignore>{}</a>', url, job.name)

    @admin.display(description="instance", ordering="instance__name")
    def of_instance(self, job: Job) -> SafeString:
        return instance_link(job.instance)

    @admin.display(description="call")
    def call(self, job: Job) -> SafeString:
        return format_html('<span class="console-mono polling-call" x-ignore>{} {}</span>', job.method, job.uri)

    @admin.display(description="at the times of")
    def times(self, job: Job) -> SafeString:
        return format_html('<span class="console-mono" x-ignore>{}</span>', job.cron)

    @admin.display(description="state")
    def state(self, job: Job) -> SafeString:
        return badge(job_pages.state_of(job))

    @admin.display(description="next run", ordering="next_run_at")
    def next_run(self, job: Job) -> SafeString:
        return ago(job.next_run_at if job.is_active else None, never="none while it is stopped")

    @admin.display(description="last run", ordering="last_run_at")
    def last_run(self, job: Job) -> SafeString:
        return format_html("{} {}", ago(job.last_run_at, never="not yet"), job_pages.status_badge(job))
