"""The Events Enabled switch, as it stands in the list and in the head of an instance's page, and what it answers.

The provider is asked while the page waits, so the answer is either how it is now, with a way back, or why not.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import render

from instances.console import instance_writes, overview
from instances.console.instance_writes import Refusal, refusal_of
from instances.console.lists import may_operate
from instances.console.page import instance_or_404
from instances.models import Instance

TEMPLATE = "console/instances/switch_answer.html"


def switch_view(request: HttpRequest, instance_id: int) -> HttpResponseBase:
    """POST `on=true|false`; answers the inside of the switch's box, and the badge of the state it led to."""
    instance = instance_or_404(request, instance_id)
    if not may_operate(request):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if request.POST.get("on") not in ("true", "false"):
        return HttpResponseBadRequest("Send on=true or on=false")
    is_on = request.POST["on"] == "true"
    is_undoing = request.POST.get("undo") == "true"
    if is_on == instance.is_events_enabled:
        return _answer(request, instance)
    try:
        changed = instance_writes.switch_events(request, instance, is_on=is_on)
    except instance_writes.REFUSALS as error:
        return _answer(request, instance, refusal=refusal_of(error))
    return _answer(request, changed, note=_note(changed), is_undoable=not is_undoing)


def _answer(
    request: HttpRequest,
    instance: Instance,
    *,
    refusal: Refusal | None = None,
    note: str = "",
    is_undoable: bool = False,
) -> HttpResponse:
    context = {"instance": instance, "refusal": refusal, "note": note, "is_undoable": is_undoable}
    return render(request, TEMPLATE, context)


def _note(instance: Instance) -> str:
    """What it means, in as few words as there is room for."""
    if instance.is_events_enabled:
        if instance.is_disabled:
            return "On, but the instance is disabled: events begin when it is enabled."
        return "On: changes from now on become events."
    return " ".join(("Off.", *overview.consequences_of(instance, "switch off")))
