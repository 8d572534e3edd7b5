"""The form's fields follow from the element's definition."""

from __future__ import annotations

import pytest

from connectors import configuration_entries as keys
from connectors import poller, registry
from connectors.element import Element
from instances.configuration import MASK, ShownEntry
from instances.console import form_fields, poller_fields

every_element = pytest.mark.parametrize("element", registry.all_elements(), ids=lambda element: element.key)
CRM, DESK = registry.element("connectwisecrmrest"), registry.element("connectwisehd")


@every_element
def test_every_entry_that_people_are_to_see_is_a_field_in_its_order(element: Element) -> None:
    fields = form_fields.fields_of(element)

    seen = [entry for entry in keys.entries_of(element) if not entry.hide_from_console]
    assert [(one.key, one.label, one.is_required) for one in fields] == [
        (entry.key, entry.name, entry.required) for entry in seen
    ]
    assert all(one.help.startswith(entry.description) for one, entry in zip(fields, seen, strict=True))
    assert {one.key for one in fields if one.is_secret} == {entry.key for entry in seen if entry.secret}
    assert all(one.choices for one in fields if one.kind == "choice")
    assert len({one.id for one in fields}) == len(fields)


def test_how_changes_are_noticed_is_asked_where_there_is_a_choice() -> None:
    assert keys.VENDOR_TYPE not in {one.key for one in form_fields.fields_of(CRM)}
    choices = {one.key: one.choices for one in form_fields.fields_of(DESK)}
    assert [value for value, _ in choices[keys.VENDOR_TYPE]] == ["webhook", "polling"]
    [types] = [one for one in form_fields.fields_of(DESK) if one.key == keys.CALLBACK_TYPES]
    assert "ticket, company, contact, time" in types.help


def test_stored_secret_is_said_to_be_there_and_not_shown() -> None:
    shown = [
        ShownEntry(id=1, key="private.key", name="", value=MASK, is_required=True),
        ShownEntry(id=2, key=keys.SIGNATURE_KEY, name="", value=MASK, is_required=False),
    ]
    fields = {one.key: one for one in form_fields.with_values(form_fields.fields_of(CRM), shown)}

    assert fields["private.key"].is_stored
    assert not fields["private.key"].may_be_removed
    assert fields[keys.SIGNATURE_KEY].may_be_removed
    assert MASK not in {one.value for one in fields.values()}


@every_element
def test_every_resource_that_can_be_added_comes_with_settings_that_hold(element: Element) -> None:
    offered = poller_fields.resources(element)

    settings = {one["name"]: one["settings"] for one in offered}
    pollers = poller.parse(settings, element=element)
    assert {f"/hubs/{element.hub}/{name}" for name in settings} == {one.url.split("?")[0] for one in pollers.values()}
    assert {one["name"] for one in offered if one["is_default"]} == set(element.poller_configuration)


@pytest.mark.parametrize(("seconds", "stops"), [(90.0, [1.5, 2, 3]), (30.0, [0.5, 1, 2]), (2.0, [0.034, 0.5, 1])])
def test_slider_stops_at_the_floor(settings, seconds: float, stops: list[float]) -> None:
    settings.POLL_INTERVAL_FLOOR = seconds

    assert poller_fields.stops()[:3] == stops
