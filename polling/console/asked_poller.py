"""The poller that a page is about, and whether its visitor may do something with it."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from instances import audit
from instances.console.lists import may_operate
from instances.console.scope import scope_of
from polling.models import PollCursor


def poller_or_404(request: HttpRequest, pk: int) -> PollCursor:
    """With its instance. Raises Http404 for a stranger's, as for one that does not exist."""
    rows = PollCursor.objects.filter(pk=pk).select_related("instance")
    found = scope_of(request).of(rows, "instance__organization").first()
    if found is None:
        raise Http404("There is no such poller")
    return found


def poller_to_operate(request: HttpRequest, pk: int) -> PollCursor:
    """Raises PermissionDenied for people who may only look."""
    cursor = poller_or_404(request, pk)
    if not may_operate(request):
        raise PermissionDenied
    return cursor


def note(request: HttpRequest, cursor: PollCursor, action: str, *, detail: str = "") -> None:
    """Into the audit log."""
    audit.note(
        who=request.user,
        action=action,
        through=audit.CONSOLE,
        organization_id=cursor.instance.organization_id,
        instance=cursor.instance,
        subject=f"poller of {cursor.resource}",
        detail=detail,
    )
