"""What every list and detail page of the console has in common."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, checkbox

from instances import permissions
from instances.console.scope import scope_of
from instances.console.tabs import tabs_of
from instances.models import Instance

_CHECKBOX = checkbox.render(ACTION_CHECKBOX_NAME, "{}")
"""Rendered once: a widget's template for each row takes longer than the row."""

_WHOSE = ("instance", "of_instance")
"""Columns that say whose instance a row is of: the column itself, and a link in its place."""


class OfOneOrganization(ModelAdmin):
    """Shows people what belongs to their organization, and everything to superusers. Read-only unless it says more.

    A stranger's id is answered 404. Narrowed to one instance (`?<instance_lookup>=<id>`), a list is a tab of the
    instance's page and shows its head.
    """

    organization_lookup: ClassVar[str] = "organization"
    instance_lookup: ClassVar[str] = ""
    """How a row leads to its instance, where the list is a tab of the instance's page."""
    tab: ClassVar[str] = ""
    """Which one."""

    list_before_template = "console/list_head.html"
    list_fullwidth = True
    list_per_page = 50
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # they count all rows once for each choice of each filter
    compressed_fields = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.of_scope(super().get_queryset(request), request)

    def of_scope(self, rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        return scope_of(request).of(rows, self.organization_lookup)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Django sends people home from an id that is not theirs; 404 says what it is."""
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404(f"There is no such {self.opts.verbose_name}")
        return found

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = extra_context or {}
        if (instance := self.instance_of(request)) is not None:
            context |= {
                "instance": instance,
                "instance_tabs": tabs_of(request, instance, active=self.tab),
                "title": instance.name,
            }
        return super().changelist_view(request, context)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """As Django has it; but what is no id chooses nothing, instead of failing."""
        sent = request.POST.copy()
        sent.setlist(ACTION_CHECKBOX_NAME, [one for one in sent.getlist(ACTION_CHECKBOX_NAME) if _is_id(one)])
        request.POST = sent  # type: ignore[assignment]
        answer: HttpResponse | None = super().response_action(request, queryset)
        return answer

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who did what is in the audit log, which is not for everybody."""
        raise Http404("There is no such page")

    def instance_of(self, request: HttpRequest) -> Instance | None:
        """The one instance that the list is narrowed to. Raises Http404 for a stranger's."""
        asked = request.GET.get(self.instance_lookup, "") if self.instance_lookup else ""
        if not asked:
            return None
        found = scope_of(request).of(Instance.objects.filter(pk=asked)) if _is_id(asked) else None
        if found is None or (instance := found.first()) is None:
            raise Http404("There is no such instance")
        return instance

    def get_list_display(self, request: HttpRequest) -> Any:
        """On a tab of an instance, every row is of that instance."""
        shown = super().get_list_display(request)
        is_tab = bool(self.instance_lookup) and self.instance_lookup in request.GET
        return [name for name in shown if name not in _WHOSE] if is_tab else shown

    @admin.display(description=ModelAdmin.action_checkbox.short_description)
    def action_checkbox(self, obj: Model) -> SafeString:
        return format_html(_CHECKBOX, obj.pk)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the page offers. Otherwise a filter in the URL would answer guesses at columns it does not show."""
        if self.instance_lookup and lookup == self.instance_lookup:
            return True
        offered = {_parameter_of(one) for one in self.list_filter or ()}
        return lookup in offered or lookup.rpartition("__")[0] in offered

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_staff(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_staff(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """For actions that say `permissions=["operate"]`."""
        return may_operate(request)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _parameter_of(list_filter: Any) -> str:
    """Of the URL: a filter is named by a column, or is a class with a parameter of its own."""
    named = list_filter[0] if isinstance(list_filter, (tuple, list)) else list_filter
    return str(getattr(named, "parameter_name", named))


def is_staff(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_staff


def may_operate(request: HttpRequest) -> bool:
    return is_staff(request) and permissions.may_operate(request.user)


def may_see_bodies(request: HttpRequest) -> bool:
    return is_staff(request) and permissions.may_see_bodies(request.user)


def may_administer(request: HttpRequest) -> bool:
    return is_staff(request) and permissions.may_administer(request.user)
