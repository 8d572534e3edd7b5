"""What a list of pollers asks again every few seconds, to stay true while somebody looks at it."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from instances.console.scope import scope_of
from polling.console import poller_cells
from polling.models import PollCursor

MOST: Final = 100
"""As many as a list shows at once."""


def view(request: HttpRequest) -> HttpResponse:
    """`?id=1&id=2`: the sayings of these pollers, each to take the place of the one that the list shows."""
    ids = [
        int(text) for text in request.GET.getlist("id")[:MOST] if text.isascii() and text.isdecimal() and len(text) < 19
    ]
    rows = PollCursor.objects.filter(pk__in=ids).select_related("instance")
    now = timezone.now()
    found = scope_of(request).of(rows, "instance__organization")
    return HttpResponse("".join(cell for cursor in found for cell in poller_cells.updates(cursor, now=now)))
