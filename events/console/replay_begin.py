"""Having deliveries begun again: what is meant, what that would be, and then, if it is confirmed, the replay itself."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from events import replay_matches, replays
from events.console.long_list import number
from events.console.replay_form import Asked, Refused, Typed, refused, suggested, understand
from events.console.replay_words import STATUSES, duration, size, wanted_line, wanted_words
from events.replay_requests import HIGHEST_RATE, MOST_IDS
from instances import audit
from instances.console.lists import may_operate
from instances.console.page import add_route, page
from instances.console.scope import scope_of
from instances.errors import PlatformError
from instances.models import User

MOST_RECIPIENTS = 20
FEW = 100
"""Deliveries that may have come to those of the preview unnoticed, beside as many again."""


class _Grown(Exception):
    """There is much more to begin than the preview said."""


def add(request: HttpRequest) -> HttpResponse:
    """GET shows the form, filled in from the query; POST takes it a step further: `preview`, `edit`, `begin`."""
    if not may_operate(request):
        raise PermissionDenied
    if request.method != "POST":
        return _form(request, Typed.of(request.GET, is_sent=False))
    typed = Typed.of(request.POST, is_sent=True)
    step = request.POST.get("step", "preview")
    if step == "edit":
        return _form(request, typed)
    user: Any = request.user
    assert isinstance(user, User)
    try:
        asked = understand(typed, user=user, scope=scope_of(request))
        if step == "begin":
            try:
                return _begin(request, asked, user, seen=number(request.POST.get("seen", "")))
            except _Grown:
                return _preview(request, typed, asked, has_grown=True)
        return _preview(request, typed, asked)
    except Refused as error:
        return _form(request, typed, error)
    except PlatformError as error:
        return _form(request, typed, refused(error))


def suggestions(request: HttpRequest) -> HttpResponse:
    """Options for a box of the form, as somebody types into it."""
    if not may_operate(request):
        raise PermissionDenied
    field = "subscription" if "subscription" in request.GET else "instance"
    found = suggested(field, request.GET.get(field, ""), scope=scope_of(request))
    return render(request, "console/replays/options.html", {"options": found})


def _form(request: HttpRequest, typed: Typed, error: Refused | None = None) -> HttpResponse:
    statuses = [
        {"name": name, "label": label, "help": text, "is_ticked": name in typed.statuses}
        for name, (label, text) in STATUSES.items()
    ]
    return page(
        request,
        "console/replays/form.html",
        title="Begin a replay",
        typed=typed,
        moments={"from": typed.local("from"), "to": typed.local("to")},
        statuses=statuses,
        error=error,
        errors={error.field: str(error)} if error else {},
        highest_rate=HIGHEST_RATE,
        most_ids=MOST_IDS,
    )


def _preview(request: HttpRequest, typed: Typed, asked: Asked, *, has_grown: bool = False) -> HttpResponse:
    wanted = asked.request.wanted
    replay_matches.check_ids(asked.organization, wanted)
    found = replay_matches.preview(asked.organization, wanted)
    passed_over = 0 if asked.request.reactivates else found.deactivated
    name = asked.instance.name if asked.instance else ""
    recipients = replay_matches.recipients(asked.organization, wanted, most=MOST_RECIPIENTS) if found.count else []
    return page(
        request,
        "console/replays/preview.html",
        title="Replay: look before you begin",
        typed=typed,
        found=found,
        has_grown=has_grown,
        begins=found.count - passed_over,
        passed_over=passed_over,
        reactivates=asked.request.reactivates and found.deactivated,
        size=size(found.bytes),
        rate=asked.request.rate,
        takes=duration(found.count - passed_over, asked.request.rate),
        terms=wanted_words(wanted.to_json(), instance_name=name),
        recipients=[{"row": one, "url": one.url.partition("?")[0]} for one in recipients],
        others=max(0, found.count - sum(one.count for one in recipients)),
        organization=asked.organization,
    )


def _begin(request: HttpRequest, asked: Asked, user: User, *, seen: int | None) -> HttpResponse:
    """`seen` is what the preview counted, None where there was none. Raises _Grown."""
    wanted = asked.request.wanted.to_json()
    with transaction.atomic():
        replay = replays.create(user=user, organization=asked.organization, asked=asked.request)
        if seen is not None and replay.total > 2 * seen + FEW:
            raise _Grown
        line = wanted_line(wanted, instance_name=asked.instance.name if asked.instance else "")
        audit.note(
            who=user,
            action="began a replay",
            through=audit.CONSOLE,
            organization_id=asked.organization.pk,
            instance=asked.instance,
            subject=f"replay {replay.pk}",
            detail=f"{replay.total} deliveries at {replay.rate} a second: {line}",
        )
    return redirect("admin:events_replay_change", replay.pk)


add_route("events/replay/suggestions/", suggestions, name="events_replay_suggestions")
