"""The rows of a list, as unfold lays them out, with all that they share worked out once for the list.

unfold renders the headers and a checkbox from templates for each row, which takes longer than all the rest of a page.
What it has beyond this (rows to edit, to unfold or to drag, labels, actions of a row), no list of the console uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import lookup_field
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models import DateField, Field, ForeignKey, ManyToOneRel, Model, TimeField
from django.urls import NoReverseMatch
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.templatetags.unfold_list import CHECKBOX_CLASSES, LINK_CLASSES, ROW_CLASSES
from unfold.utils import display_for_field, display_for_value

CHECKBOX = "action_checkbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    begin: SafeString
    end: SafeString
    is_link: bool


def rows_of(changelist: Any, headers: Sequence[Mapping[str, Any]]) -> Iterator[SafeString]:
    """The cells of each row. A row's label in `headers` is what stands beside it where rows are cards."""
    columns = list(_columns(changelist, headers))
    for row in changelist.result_list:
        cells = ((column.begin, _shown(changelist, row, column), column.end) for column in columns)
        yield format_html_join("", "{}{}{}", cells)


def _columns(changelist: Any, headers: Sequence[Mapping[str, Any]]) -> Iterator[Column]:
    links = [name for name in changelist.list_display if name in (changelist.list_display_links or ())]
    for name, header in zip(changelist.list_display, headers, strict=True):
        is_checkbox = name == CHECKBOX
        classes = CHECKBOX_CLASSES if is_checkbox else [f"field-{name}", *ROW_CLASSES]
        if isinstance(_field(changelist, name), (DateField, TimeField, ForeignKey)):
            classes = [*classes, "nowrap"]
        tag = "th" if links[:1] == [name] else "td"
        label = "Select record" if is_checkbox else header["text"]
        yield Column(
            name=name,
            begin=format_html('<{} class="{}" data-label="{}">', tag, " ".join(classes), label),
            end=format_html("</{}>", tag),
            is_link=name in links,
        )


def _field(changelist: Any, name: str) -> Field[Any, Any] | None:
    """None for what the list works out itself."""
    try:
        found = changelist.lookup_opts.get_field(name)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, Field) else None


def _shown(changelist: Any, row: Model, column: Column) -> Any:
    shown = _value(changelist, row, column.name)
    if not column.is_link:
        return shown
    try:
        url = changelist.url_for_result(row)
    except NoReverseMatch:
        return shown
    if changelist.preserved_filters:
        url = f"{url}?{changelist.preserved_filters}"
    return format_html('<a href="{}" class="{}">{}</a>', url, " ".join(LINK_CLASSES), shown)


def _value(changelist: Any, row: Model, name: str) -> Any:
    empty = changelist.model_admin.get_empty_value_display()
    try:
        field, attribute, value = lookup_field(name, row, changelist.model_admin)
    except ObjectDoesNotExist:
        return empty
    empty = getattr(attribute, "empty_value_display", empty)
    if field is None or field.auto_created:
        return display_for_value(value, empty, getattr(attribute, "boolean", False))
    if isinstance(field.remote_field, ManyToOneRel):
        return empty if value is None else value
    return display_for_field(value, field, empty)
