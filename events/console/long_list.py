"""Lists of big tables: newest first, a page behind the other, never counted, and brought up to date while one looks."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.views import ChangeList

from events.console.filters import Asking, TimeFilter
from events.console.newest import PAGE, Asked, Found
from instances.console.lists import OfOneOrganization
from instances.console.scope import scope_of

BEFORE = "before"
"""The parameter that says where a page begins."""
NOBODY = 0
"""The organization of people who belong to none."""
PART = "X-Console-Part"
"""The header of requests for the rows alone."""


class NewestFirst(ChangeList):
    """What a LongList finds. Filters ask, the list finds ids, and only their rows are read."""

    asked: Asked
    found: Found
    older_url: str
    newest_url: str
    is_narrowed: bool

    def get_queryset(self, request: HttpRequest, *arguments: Any, **options: Any) -> QuerySet[Any]:
        self.is_newest = not self.filter_params.pop(BEFORE, None)
        rows: QuerySet[Any] = super().get_queryset(request, *arguments, **options)
        return rows

    def get_results(self, request: HttpRequest) -> None:
        here = self.model_admin
        assert isinstance(here, LongList)
        self.asked = here.asked(request, self)
        self.found = here.find(self.asked)
        self.search_help_text = here.search_hint(request)
        # Whose they may be is said once more here, where every other list says it.
        rows = self.apply_select_related(self.root_queryset.filter(pk__in=self.found.ids)).order_by("-pk")
        self.result_list = here.shown(request, list(rows))
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(self.result_list, PAGE)
        self.is_narrowed = bool(self.query or self.has_active_filters)
        self.newest_url = self.get_query_string()
        older = self.found.older_than
        self.older_url = f"{self.newest_url}&{urlencode({BEFORE: older})}" if older is not None else ""


class LongList(OfOneOrganization):
    """One of events, deliveries or attempts."""

    list_per_page = PAGE
    list_max_show_all = PAGE
    list_disable_select_all = True
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER  # they would count
    ordering = ("-pk",)
    rows_template: ClassVar[str] = "console/events/rows_part.html"
    change_list_template = "console/events/long_list.html"
    empty_title: ClassVar[str] = ""
    empty_text: ClassVar[str] = ""

    def find(self, asked: Asked) -> Found:
        raise NotImplementedError

    def shown(self, request: HttpRequest, rows: list[Any]) -> list[Any]:
        """The rows with what their columns say, read for all of them at once."""
        return rows

    def asked(self, request: HttpRequest, changelist: NewestFirst) -> Asked:
        chosen = {one.parameter_name: one.asked() for one in changelist.filter_specs if isinstance(one, Asking)}
        time = next((one for one in changelist.filter_specs if isinstance(one, TimeFilter)), None)
        scope = scope_of(request)
        instance = self.instance_of(request)
        return Asked(
            organization_id=None if scope.is_everything else scope.organization_id or NOBODY,
            before=number(request.GET.get(BEFORE, "")),
            begins_at=time.begins_at if time is not None else None,
            ends_at=time.ends_at if time is not None else None,
            instance_id=instance.pk if instance is not None else None,
            element=chosen.get("element", ""),
            source=chosen.get("source", ""),
            state=chosen.get("state", "") or chosen.get("status", ""),
            error=chosen.get("error", ""),
            subscription_id=number(request.GET.get("subscription", "")),
            delivery_id=number(request.GET.get("delivery", "")),
            ids=self.searched(request, changelist.query.strip()) if changelist.query.strip() else None,
        )

    def search_hint(self, request: HttpRequest) -> str | None:
        return self.search_help_text

    def searched(self, request: HttpRequest, text: str) -> list[int]:
        """Ids that somebody may mean."""
        found = number(text)
        return [found] if found else []

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset, False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        offered = {one.parameter_name for one in self.list_filter if issubclass(one, Asking)}
        return lookup in offered | {"from", "to", BEFORE} or super().lookup_allowed(lookup, value, request)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[NewestFirst]:
        return NewestFirst

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        noun = self.opts.verbose_name
        context = {"noun": noun, "nouns": self.opts.verbose_name_plural, **(extra_context or {})}
        response = super().changelist_view(request, context)
        if isinstance(response, TemplateResponse) and PART in request.headers:
            response.template_name = self.rows_template
        return response


def number(text: str) -> int | None:
    """An id that somebody typed; None for what cannot be one."""
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 19 else None
