"""Registrations: what providers are asked to tell us, and whether they do."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from connectors import registry
from events import inboxes, registration_upkeep
from events.console.inboxes import facts_of, may_see_address
from events.models import Inbox, Registration
from instances import audit
from instances.console.badges import badge
from instances.console.lists import OfOneOrganization, may_operate
from instances.console.moments import ago
from instances.console.page import instance_or_404, instance_page
from instances.encryption import KeyMissing
from instances.errors import InvalidRequest
from instances.models import Instance

WHOLE = "owner"
"""The level of everything there is of a type."""


@admin.register(Registration)
class RegistrationAdmin(OfOneOrganization):
    instance_lookup = "inbox__instance"
    tab = "registrations"
    organization_lookup = "inbox__instance__organization"
    list_display = ("subject", "instance", "shown_state", "problem", "provider_id", "registered", "checked")
    list_filter = ("state", "type")
    sortable_by = ()
    show_facets = ShowFacets.NEVER
    list_select_related = ("inbox__instance",)
    list_before_template = "console/callbacks/registrations_head.html"
    search_fields = ("inbox__instance__name", "=provider_id")
    search_help_text = "Search by name of the instance, or the provider's id"
    ordering = ("-id",)
    empty_title = "Nothing is registered"
    empty_text = "Registrations are made when events of an instance that is told by its provider are switched on."
    fields = (
        *("instance", "type", "level", "object_id", "state", "provider_id"),
        *("last_error", "registered_at", "checked_at"),
    )

    class Media:
        css = {"all": ("console/replays.css",)}

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("of/<int:instance_id>/check/", wrap(check), name="events_registration_check"),
            path("of/<int:instance_id>/address/", wrap(address), name="events_registration_address"),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        instance = self.instance_of(request)
        facts = facts_of(request, instance) if instance is not None else {}
        return super().changelist_view(request, {**facts, **(extra_context or {})})

    @admin.display(description="Tells us of")
    def subject(self, registration: Registration) -> str:
        return subject_of(registration)

    @admin.display(description="Instance")
    def instance(self, registration: Registration) -> str:
        return str(registration.inbox.instance or "gone")

    @admin.display(description="State")
    def shown_state(self, registration: Registration) -> SafeString:
        return badge(registration.state)

    @admin.display(description="Last error")
    def problem(self, registration: Registration) -> str:
        return registration.last_error

    @admin.display(description="Registered")
    def registered(self, registration: Registration) -> SafeString:
        return ago(registration.registered_at, never="not yet")

    @admin.display(description="Looked at")
    def checked(self, registration: Registration) -> SafeString:
        return ago(registration.checked_at)


def subject_of(registration: Registration) -> str:
    """`All tickets`; `Tickets of board 12`."""
    plural = {"company": "companies", "opportunity": "opportunities", "activity": "activities", "time": "time entries"}
    things = plural.get(registration.type, f"{registration.type}s")
    if registration.level == WHOLE:
        return f"All {things}"
    return f"{things[:1].upper()}{things[1:]} of {registration.level} {registration.object_id}"


def check(request: HttpRequest, instance_id: int) -> HttpResponse:
    """Compare with the provider now, and register what is missing. What takes longer goes on behind the answer."""
    instance, inbox = _inbox_of(request, instance_id, is_permitted=may_operate(request))
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if inbox is None:
        messages.error(request, _without_callbacks(instance))
        return _back(instance)
    has_agreed = registration_upkeep.check_now(inbox)
    _note(request, instance, "had registrations compared")
    instance.refresh_from_db()
    inbox.refresh_from_db()
    problem = instance.registration_problem or inbox.last_error
    if problem:
        messages.warning(request, problem)
    elif has_agreed:
        messages.success(request, "The provider has everything as it is wanted.")
    else:
        messages.info(request, "It takes longer than a few seconds: a worker goes on with it.")
    return _back(instance)


def address(request: HttpRequest, instance_id: int) -> HttpResponse:
    """The URL to enter at the provider by hand. A secret: shown to whoever asks for it, and noted."""
    instance, inbox = _inbox_of(request, instance_id, is_permitted=may_see_address(request))
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    shown: dict[str, Any] = {"address": "", "problem": ""}
    try:
        shown["address"] = _address(instance, inbox)
    except (InvalidRequest, KeyMissing) as error:
        shown["problem"] = str(error)
    else:
        _note(request, instance, "looked at the address for callbacks")
    if getattr(request, "htmx", False):
        return render(request, "console/callbacks/address.html", shown)
    template = "console/callbacks/address_page.html"
    return instance_page(request, instance, template, tab=RegistrationAdmin.tab, **shown)


def _address(instance: Instance, inbox: Inbox | None) -> str:
    if inbox is None:
        raise InvalidRequest(_without_callbacks(instance))
    callbacks = registry.element(inbox.element_key).callbacks
    assert callbacks is not None
    return callbacks.url(inboxes.address_of(inbox))


def _inbox_of(request: HttpRequest, instance_id: int, *, is_permitted: bool) -> tuple[Instance, Inbox | None]:
    """Raises Http404 for a stranger's, PermissionDenied for whose role does not allow it."""
    instance = instance_or_404(request, instance_id)
    if not is_permitted:
        raise PermissionDenied
    return instance, Inbox.objects.select_related("instance").filter(instance=instance).first()


def _without_callbacks(instance: Instance) -> str:
    return f"Instance {instance.pk} has no callbacks: its changes are found by polling"


def _back(instance: Instance) -> HttpResponse:
    path_of_list = reverse("admin:events_registration_changelist")
    return redirect(f"{path_of_list}?{RegistrationAdmin.instance_lookup}={instance.pk}")


def _note(request: HttpRequest, instance: Instance, action: str) -> None:
    audit.note(
        who=request.user,
        action=action,
        through=audit.CONSOLE,
        organization_id=instance.organization_id,
        instance=instance,
    )
