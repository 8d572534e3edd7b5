"""Replays: deliveries that are begun again, many at a time. Watched, paused, let go on, cancelled."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import BigIntegerField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events import replays
from events.console import replay_begin
from events.console.replay_form import Typed, whole_number
from events.console.replay_words import duration, progress, size, wanted_line, wanted_words
from events.models import Replay
from events.replay_api import CHANGES
from events.replay_requests import HIGHEST_RATE, Wanted, parse_change
from events.replays import GOING_ON
from instances import audit
from instances.console.badges import badge
from instances.console.lists import OfOneOrganization, may_operate
from instances.console.moments import ago
from instances.console.page import page
from instances.errors import PlatformError
from instances.models import Instance

DONE = {Replay.PAUSED: "paused a replay", Replay.RUNNING: "let a replay go on", Replay.CANCELLED: "cancelled a replay"}
LONGEST_LINE = 120
MANY = 10_000
"""Deliveries, whose outcomes take a while to be counted."""


@admin.register(Replay)
class ReplayAdmin(OfOneOrganization):
    list_display = ("name", "shown_state", "far", "meant", "shown_rate", "begun_by", "created", "finished")
    list_display_links = ("name",)
    list_filter = ("state",)
    list_select_related = ("created_by",)
    list_before_template = "console/replays/list_head.html"
    show_add_link = False
    empty_title = "No replays yet"
    empty_text = "They are listed here, with how far they are."
    ordering = ("-id",)
    sortable_by = ()
    show_facets = ShowFacets.NEVER

    class Media:
        css = {"all": ("console/replays.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_operate(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Replay]:
        asked_for = Cast(KeyTextTransform("instanceId", OuterRef("wanted")), BigIntegerField())
        names = Instance.objects.filter(pk=asked_for, organization=OuterRef("organization")).values("name")
        rows: QuerySet[Replay] = super().get_queryset(request)
        return rows.annotate(instance_name=Subquery(names))

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<int:replay_id>/progress/", self._wrapped(self.progress_view), name="events_replay_progress"),
            path("<int:replay_id>/ask/", self._wrapped(self.ask_view), name="events_replay_ask"),
        ]
        return own + super().get_urls()

    def _wrapped(self, view: Any) -> Any:
        return self.admin_site.admin_view(view)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return replay_begin.add(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        replay = self.get_object(request, object_id)
        if request.method == "POST" or not self.has_view_permission(request, replay):
            raise PermissionDenied
        return page(
            request,
            "console/replays/page.html",
            title=f"Replay {replay.pk}",
            **_shown(request, replay),
        )

    def progress_view(self, request: HttpRequest, replay_id: int) -> HttpResponse:
        """The part of the page that changes while somebody looks at it."""
        return _fragment(request, self.get_object(request, str(replay_id)))

    def ask_view(self, request: HttpRequest, replay_id: int) -> HttpResponse:
        """Pause, go on, cancel, or another rate."""
        replay = self.get_object(request, str(replay_id))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not may_operate(request):
            raise PermissionDenied
        problem = ""
        try:
            replay = self._change(request, replay)
        except PlatformError as error:
            problem = str(error)
            replay = self.get_object(request, str(replay_id))
        if getattr(request, "htmx", False):
            return _fragment(request, replay, problem=problem, is_asked=True)
        if problem:
            messages.error(request, problem)
        return redirect("admin:events_replay_change", replay_id)

    def _change(self, request: HttpRequest, replay: Replay) -> Replay:
        rate = request.POST.get("rate", "").strip()
        sent = {"state": request.POST.get("state") or None, "rate": whole_number(rate) if rate else None}
        asked = parse_change(sent, states=CHANGES)
        with transaction.atomic():
            changed = replays.change(replay, asked)
            audit.note(
                who=request.user,
                action=DONE[asked.state] if asked.state else "gave a replay another rate",
                through=audit.CONSOLE,
                organization_id=changed.organization_id,
                subject=f"replay {changed.pk}",
                detail=f"{changed.rate} a second" if asked.rate else "",
            )
        # With the columns that only the list's query has.
        return self.get_object(request, str(replay.pk))

    @admin.display(description="Replay", ordering="id")
    def name(self, replay: Replay) -> str:
        return f"Replay {replay.pk}"

    @admin.display(description="State", ordering="state")
    def shown_state(self, replay: Replay) -> SafeString:
        return badge(replay.state)

    @admin.display(description="Begun")
    def far(self, replay: Replay) -> SafeString:
        shown = progress(replay)
        return format_html(
            '<span class="replay-far"><progress class="console-progress" max="100" value="{}" '
            'aria-label="Progress of replay {}"></progress><span>{} of {}</span></span>',
            *(shown.percent, replay.pk, f"{replay.begun:,}", f"{replay.total:,}"),
        )

    @admin.display(description="Which deliveries")
    def meant(self, replay: Replay) -> str:
        line = wanted_line(replay.wanted, instance_name=_instance_name(replay))
        return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"

    @admin.display(description="Rate", ordering="rate")
    def shown_rate(self, replay: Replay) -> str:
        return f"{replay.rate:,}/s"

    @admin.display(description="Begun by")
    def begun_by(self, replay: Replay) -> str:
        return replay.created_by.email if replay.created_by else "somebody who is gone"

    @admin.display(description="Asked for", ordering="id")
    def created(self, replay: Replay) -> SafeString:
        return ago(replay.created_at)

    @admin.display(description="Ended", ordering="finished_at")
    def finished(self, replay: Replay) -> SafeString:
        return ago(replay.finished_at, never="not yet")


def _instance_name(replay: Replay) -> str:
    return vars(replay).get("instance_name") or ""


def _shown(request: HttpRequest, replay: Replay) -> dict[str, Any]:
    shown, outcomes = progress(replay), replays.outcomes([replay])[replay.pk]
    return {
        "replay": replay,
        "progress": shown,
        "outcomes": outcomes,
        "terms": wanted_words(replay.wanted, instance_name=_instance_name(replay)),
        "size": size(replay.total_bytes),
        "left": duration(shown.left, replay.rate) if shown.left else "",
        "is_going_on": replay.state in GOING_ON,
        # Beginning is not the end of it: what was begun is still to be delivered.
        "is_watched": replay.state in GOING_ON or outcomes.pending > 0,
        "looks_every": 10 if replay.state != Replay.RUNNING else 5 if replay.total > MANY else 2,
        "may_change": may_operate(request) and replay.state in GOING_ON,
        "highest_rate": HIGHEST_RATE,
        "problem": "",
        "again": _again(request, replay),
    }


def _fragment(request: HttpRequest, replay: Replay, *, problem: str = "", is_asked: bool = False) -> HttpResponse:
    """Said aloud when somebody asked for it, and when its state is another one: not every two seconds."""
    is_news = is_asked or request.GET.get("was", "") != replay.state
    shown = _shown(request, replay) | {"problem": problem, "announces": is_news}
    return render(request, "console/replays/progress.html", shown)


def _again(request: HttpRequest, replay: Replay) -> str:
    """Where the same can be asked for once more. Not what only the API can ask for."""
    wanted = Wanted.from_json(replay.wanted)
    if wanted.where or not may_operate(request):
        return ""
    query = urlencode(Typed.of_wanted(wanted, rate=replay.rate).pairs)
    return f"{reverse('admin:events_replay_add')}?{query}"
