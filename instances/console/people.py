"""The people of an organization: owners invite them, say what they may do, and let them in or out."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from instances import accounts, audit, sign_in_limits
from instances.console import badges, home, moments
from instances.console.lists import OfOneOrganization, may_administer
from instances.console.page import page
from instances.console.people_forms import NewPersonForm, PasswordForm, PersonForm
from instances.models import User


@admin.register(User)
class UserAdmin(OfOneOrganization):
    list_display = ("email", "name", "shown_role", "is_let_in", "last_seen")
    list_filter = ("role", "is_active")
    list_select_related = ("organization",)
    search_fields = ("email", "first_name", "last_name")
    search_help_text = "Name or e-mail address"
    ordering = ("email",)
    readonly_fields = ("email", "organization", "signed_in", "joined")
    show_add_link = False  # the list has a button that says it in words
    change_form_outer_after_template = "console/people/password_link.html"

    class Media:
        css: ClassVar = {"all": ("console/people.css",)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.password_view)
        return [path("<int:person_id>/password/", view, name="instances_user_password"), *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = super().get_list_display(request)
        return [*shown, "organization"] if _is_superuser(request) else shown

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **options: Any) -> Any:
        return NewPersonForm if obj is None else PersonForm

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        if obj is None:
            return ("email", "first_name", "last_name", "role", "password")
        return ("email", "first_name", "last_name", "organization", "role", "is_active", "signed_in", "joined")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return () if obj is None else self.readonly_fields

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        context = {
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
            "title": "Invite a person" if object_id is None else "Person",
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """To one's own organization; `create_account` makes the first person of another."""
        return may_administer(request) and getattr(request.user, "organization_id", None) is not None

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever runs the platform is not the business of one organization."""
        is_above = isinstance(obj, User) and obj.is_superuser
        return may_administer(request) and (not is_above or _is_superuser(request))

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["first_name", "last_name", "role", "is_active"])
            if form.changed_data:
                self._note(request, obj, _change_in_words(obj, form.changed_data), detail=", ".join(form.changed_data))
            return
        person: Any = request.user
        made = accounts.add_person(
            organization=person.organization,
            login=form.cleaned_data["email"],
            password=form.cleaned_data["password"],
            role=form.cleaned_data["role"],
            first_name=form.cleaned_data["first_name"],
            last_name=form.cleaned_data["last_name"],
        )
        obj.pk = made.user.pk
        self._note(request, made.user, "invited a person", detail=f"as {made.user.role}")

    def password_view(self, request: HttpRequest, person_id: int) -> HttpResponse:
        """Another password for somebody who lost theirs. Whoever is signed in with the old one is signed out."""
        person: User = self.get_object(request, str(person_id))
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        form = PasswordForm(request.POST or None, person=person)
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():
                person.set_password(form.cleaned_data["password"])
                person.save(update_fields=["password"])
                sign_in_limits.let_in_again(person.email)
                self._note(request, person, "reset a password")
            messages.success(request, f"{person.email} signs in with the new password from now on.")
            return redirect("admin:instances_user_change", person.pk)
        title = f"New password for {person.email}"
        return page(request, "console/people/password.html", title=title, form=form, person=person, opts=self.opts)

    def _note(self, request: HttpRequest, person: User, action: str, *, detail: str = "") -> None:
        audit.note(
            who=request.user,
            action=action,
            through=audit.CONSOLE,
            organization_id=person.organization_id,
            subject=person.email,
            detail=detail,
        )

    @admin.display(description="name", ordering="last_name")
    def name(self, person: User) -> str:
        return person.get_full_name()

    @admin.display(description="role", ordering="role")
    def shown_role(self, person: User) -> str:
        return "runs the platform" if person.is_superuser else person.role

    @admin.display(description="may sign in", ordering="is_active")
    def is_let_in(self, person: User) -> SafeString:
        return badges.badge("yes", home.GOOD) if person.is_active else badges.badge("no", home.PLAIN)

    @admin.display(description="last signed in", ordering="last_login")
    def last_seen(self, person: User) -> SafeString:
        return moments.ago(person.last_login)

    @admin.display(description="last signed in")
    def signed_in(self, person: User) -> SafeString:
        return moments.moment(person.last_login)

    @admin.display(description="invited")
    def joined(self, person: User) -> SafeString:
        return moments.moment(person.date_joined)


def _change_in_words(person: User, changed: list[str]) -> str:
    if "is_active" in changed:
        return "let a person in again" if person.is_active else "shut a person out"
    return f"made a person {person.role}" if "role" in changed else "changed a person"


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser
