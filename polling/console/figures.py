"""How pollers are doing, for the home page."""

from __future__ import annotations

from django.db.models import Count
from django.urls import reverse
from django.utils import timezone

from instances.console import home
from instances.console.home import BAD, PLAIN, PROVIDERS, WARNING, Figure
from instances.console.scope import Scope
from polling.console.poller_state import BEHIND, FAILING, HELD_UP, STOPPED, in_state
from polling.models import PollCursor

_NOTES = {
    BEHIND: (WARNING, "due for two minutes and more"),
    FAILING: (WARNING, "the last poll failed"),
    HELD_UP: (WARNING, "something is in the way"),
    STOPPED: (BAD, "they do not go on by themselves"),
}


@home.figures
def pollers(scope: Scope) -> list[Figure]:
    now = timezone.now()
    found = scope.of(PollCursor.objects.all(), "instance__organization").aggregate(
        **{state.replace(" ", "_"): Count("pk", filter=in_state(state, now=now)) for state in _NOTES}
    )
    url = reverse("admin:polling_pollcursor_changelist")
    return [
        Figure(
            label=f"Pollers {state}",
            value=f"{count:,}",
            url=f"{url}?state={state.replace(' ', '+')}",
            order=30 + number,
            tone=tone if count else PLAIN,
            note=note,
            group=PROVIDERS,
        )
        for number, (state, (tone, note)) in enumerate(_NOTES.items())
        if (count := found[state.replace(" ", "_")]) or state != HELD_UP
    ]
