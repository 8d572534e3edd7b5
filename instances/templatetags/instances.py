"""What the pages of an instance are made of: `{% load instances %}`."""

from __future__ import annotations

from typing import Any

from django import template

from instances import permissions
from instances.console import switch_box
from instances.console.instance_states import state_badge

register = template.Library()


register.filter("state_badge", state_badge)
register.filter("events_switch", switch_box.switch)
register.filter("events_switch_box", switch_box.box)


@register.inclusion_tag("console/instances/head.html", takes_context=True)
def instance_head(context: dict[str, Any]) -> dict[str, Any]:
    """Name, state, switch and buttons, above the tabs, on every page of an instance."""
    request, instance = context["request"], context["instance"]
    return {
        "instance": instance,
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "tags": [tag for tag in instance.tags if tag != instance.name],
        "may_operate": permissions.may_operate(request.user),
    }
