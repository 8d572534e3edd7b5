"""Disabling and deleting an instance: what it means is spelled out first, with counts. And enabling it again."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import redirect

from instances.console import instance_writes, overview, page
from instances.console.instance_writes import refusal_of
from instances.console.lists import may_operate
from instances.console.page import instance_or_404
from instances.models import Instance


def disable_view(request: HttpRequest, instance_id: int) -> HttpResponseBase:
    instance = _instance_to_change(request, instance_id)
    if request.method != "POST":
        consequences = overview.consequences_of(instance, "disable")
        return page.instance_page(
            request, instance, "console/instances/disable.html", tab="overview", consequences=consequences
        )
    try:
        instance_writes.disable(request, instance)
    except instance_writes.REFUSALS as error:
        return _refused(request, instance, error)
    messages.success(request, f"{instance.name} is disabled. Enable it to go on from where it stands.")
    return redirect("admin:instances_instance_change", instance.pk)


def enable_view(request: HttpRequest, instance_id: int) -> HttpResponseBase:
    instance = _instance_to_change(request, instance_id)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        instance_writes.enable(request, instance)
    except instance_writes.REFUSALS as error:
        return _refused(request, instance, error)
    messages.success(request, f"{instance.name} is enabled and goes on from where it stood.")
    return redirect("admin:instances_instance_change", instance.pk)


def delete_view(request: HttpRequest, instance: Instance) -> HttpResponse:
    """Its name has to be typed: nothing of it comes back."""
    if not may_operate(request):
        raise PermissionDenied
    typed = request.POST.get("name", "")
    # Pages and what is copied from them have one space where a name has more, or breaks its line.
    if request.method == "POST" and typed.split() == instance.name.split():
        try:
            instance_writes.delete(request, instance)
        except instance_writes.REFUSALS as error:
            return _refused(request, instance, error)
        messages.success(request, f"{instance.name} is deleted.")
        return redirect("admin:instances_instance_changelist")
    return page.instance_page(
        request,
        instance,
        "console/instances/delete.html",
        tab="overview",
        consequences=overview.consequences_of(instance, "delete"),
        typed=typed,
        is_wrong=request.method == "POST",
    )


def _instance_to_change(request: HttpRequest, instance_id: int) -> Instance:
    instance = instance_or_404(request, instance_id)
    if not may_operate(request):
        raise PermissionDenied
    return instance


def _refused(request: HttpRequest, instance: Instance, error: Exception) -> HttpResponse:
    refusal = refusal_of(error)
    said = f" The provider said: {refusal.provider_message}" if refusal.provider_message else ""
    messages.error(request, f"Nothing has changed. {refusal.message}{said}")
    return redirect("admin:instances_instance_change", instance.pk)
