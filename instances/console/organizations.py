"""Settings of the organization, and the secret that all its calls of the API carry."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from instances import accounts, audit
from instances.console import moments
from instances.console.lists import OfOneOrganization, may_administer
from instances.console.page import page
from instances.encryption import KeyMissing, decrypt
from instances.forms import OrganizationForm
from instances.models import Organization


@admin.register(Organization)
class OrganizationAdmin(OfOneOrganization):
    organization_lookup = "pk"
    list_display = ("name", "failure_policy", "created_at")
    search_fields = ("name",)
    fields = ("name", "failure_policy", "retry_schedule", "retention_days", "created")
    readonly_fields = ("name", "created")
    form = OrganizationForm
    change_form_outer_after_template = "console/people/organization_secret_link.html"

    class Media:
        css: ClassVar = {"all": ("console/people.css",)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.secret_view)
        return [path("<int:organization_id>/secret/", view, name="instances_organization_secret"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one for most people: theirs."""
        own = getattr(request.user, "organization_id", None)
        if own is not None and not getattr(request.user, "is_superuser", False):
            return redirect("admin:instances_organization_change", own)
        return super().changelist_view(request, extra_context)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As over the API: owners, and superusers."""
        return may_administer(request)

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        obj.save(update_fields=form.changed_data or None)
        if form.changed_data:
            detail = ", ".join(f"{name} = {getattr(obj, name)}" for name in form.changed_data)
            _note(request, obj, "changed the settings", detail=detail)

    @admin.display(description="created")
    def created(self, organization: Organization) -> SafeString:
        return moments.moment(organization.created_at)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        context = {"show_save_and_continue": False, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def response_post_save_change(self, request: HttpRequest, obj: Organization) -> HttpResponse:
        return redirect("admin:instances_organization_change", obj.pk)

    def secret_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """GET explains, POST shows it or makes another one."""
        organization: Organization = self.get_object(request, str(organization_id))
        if not may_administer(request):
            raise PermissionDenied
        secret = problem = ""
        is_new = False
        try:
            if request.POST.get("do") == "show":
                secret = decrypt(organization.secret_encrypted)
                _note(request, organization, "looked at the organization's secret")
            elif request.POST.get("do") == "rotate":
                problem = self._why_not(request, organization)
                if not problem:
                    with transaction.atomic():
                        secret, is_new = accounts.rotate_secret_of(organization), True
                        _note(request, organization, "changed the organization's secret")
        except KeyMissing:
            problem = "It cannot be read: the key that it was encrypted with is missing from FERNET_KEYS."
        return page(
            request,
            "console/people/organization_secret.html",
            title="Secret of the organization",
            organization=organization,
            secret=secret,
            is_new=is_new,
            problem=problem,
            seen=organization.secret_hash[:32],
            opts=self.opts,
        )

    def _why_not(self, request: HttpRequest, organization: Organization) -> str:
        if request.POST.get("name", "").strip() != organization.name:
            return f"Nothing was changed: type {organization.name} to confirm."
        # Somebody who reloads the answer would lose the secret they were just shown.
        if request.POST.get("seen") != organization.secret_hash[:32]:
            return "It has been changed meanwhile; nothing was done. Look again."
        return ""


def _note(request: HttpRequest, organization: Organization, action: str, *, detail: str = "") -> None:
    audit.note(
        who=request.user,
        action=action,
        through=audit.CONSOLE,
        organization_id=organization.pk,
        subject="organization",
        detail=detail,
    )
