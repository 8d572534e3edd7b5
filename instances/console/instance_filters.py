"""What the list of instances can be narrowed by: `?state=attention&element=connectwisehd&events=on&tag=acme`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, F, Func, QuerySet
from django.http import HttpRequest

from connectors import registry
from instances.console.instance_states import STATES
from instances.console.scope import scope_of
from instances.models import Instance

MOST_TAGS = 20
"""That the filter offers, the most used first; others are found by search, or by clicking on one in a row."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A filter that is set."""

    title: str
    label: str
    without: str
    """The query of the list without it."""


def chosen_in(listed: ChangeList) -> list[Chosen]:
    found = []
    for spec in listed.filter_specs:
        if isinstance(spec, SimpleListFilter) and (value := spec.value()):
            label = dict(spec.lookup_choices).get(value, value)
            without = listed.get_query_string(remove=[spec.parameter_name or ""])
            found.append(Chosen(str(spec.title), str(label), without))
    return found


class StateFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.name, state.label.capitalize()) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Instance]) -> QuerySet[Instance]:
        wanted = [state for state in STATES if state.name == self.value()]
        return queryset.filter(wanted[0].rows) if wanted else queryset


class ElementFilter(SimpleListFilter):
    title = "element"
    parameter_name = "element"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(element.key, element.name) for element in registry.all_elements()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Instance]) -> QuerySet[Instance]:
        if not self.value():
            return queryset
        return queryset.filter(element_key__in=[key for key, _ in self.lookup_choices if key == self.value()])


class EventsFilter(SimpleListFilter):
    title = "events"
    parameter_name = "events"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("on", "On"), ("off", "Off")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Instance]) -> QuerySet[Instance]:
        if self.value() not in ("on", "off"):
            return queryset
        return queryset.filter(is_events_enabled=self.value() == "on")


class TagFilter(SimpleListFilter):
    title = "tag"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = scope_of(request).of(Instance.objects.all())
        # By the number of instances that have it. What only one of them has is most often its name.
        used = (
            rows.annotate(tag=Func(F("tags"), function="unnest"))
            .values_list("tag")
            .annotate(count=Count("pk"))
            .order_by("-count", "tag")
        )
        offered = [tag for tag, count in used[:MOST_TAGS] if count > 1]
        asked = self.used_parameters.get(self.parameter_name) or ""
        return [(tag, tag) for tag in ([asked] if asked and asked not in offered else []) + offered]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Instance]) -> QuerySet[Instance]:
        asked = self.value()
        if asked and "\x00" in asked:
            return queryset.none()
        return queryset.filter(tags__contains=[asked]) if asked else queryset
