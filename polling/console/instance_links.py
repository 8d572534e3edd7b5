"""Where a list of several instances says whose a row is."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.models import Instance


def instance_link(instance: Instance) -> SafeString:
    url = reverse("admin:instances_instance_change", args=[instance.pk])
    return format_html(
        '<a class="console-link" href="{}" x-ignore>{}</a>', url, instance.name or f"Instance {instance.pk}"
    )
