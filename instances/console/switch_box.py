"""What the Events Enabled switch looks like. Lists show many; a template for each would take longer than all else."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.models import Instance

# A button that posts by itself: it stands among the rows of a form that is for something else.
_SWITCH = """
    <button type="button" role="switch" class="console-switch" id="events-{pk}"
            aria-checked="{is_on}" aria-label="Events Enabled of {name}" name="on" value="{other}"
            hx-post="{url}" hx-params="on"
            hx-target="#events-switch-{pk}" hx-swap="innerHTML" hx-sync="#events-switch-{pk}:drop"></button>
    <span class="events-switch-word" aria-hidden="true">{word}</span>
    <span class="events-switch-busy" aria-hidden="true">Asking the provider…</span>"""

_BOX = """<div class="events-switch" data-quiet id="events-switch-{}"><span class="events-switch-row">{}</span></div>"""


def switch(instance: Instance) -> SafeString:
    """The switch itself, with the words beside it."""
    is_on = instance.is_events_enabled
    return format_html(
        _SWITCH,
        pk=instance.pk,
        name=instance.name,
        is_on="true" if is_on else "false",
        other="false" if is_on else "true",
        word="On" if is_on else "Off",
        url=reverse("admin:instances_instance_events", args=[instance.pk]),
    )


def box(instance: Instance) -> SafeString:
    """The switch in the box that takes what switching answers. For those who may operate."""
    return format_html(_BOX, instance.pk, switch(instance))
