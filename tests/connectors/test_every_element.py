"""What every element must do, whoever wrote it."""

from __future__ import annotations

import importlib.resources
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from connectors import configuration_entries, hub, hub_paths, poller, registry
from connectors.callbacks import InvalidCallbackTypes
from connectors.configuration_entries import entries_of
from connectors.connection import Connection
from connectors.element import POLLING, WEBHOOK, Element, Operation, Resource
from connectors.errors import InvalidQuery, OperationNotSupported

ELEMENTS = registry.all_elements()
RESERVED = re.compile(
    r"base\.url|pagination\..*|username|password|oauth\..*|aws\..*|expires(_in)?|bulk.*|event.*|filter\..*"
)
SECRET_WORD = re.compile(r"password|private|secret", re.IGNORECASE)
SIMPLE_NAME = re.compile(r"[a-z][a-z0-9-]*")

every_element = pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: element.key)
every_polling_element = pytest.mark.parametrize(
    "element", [one for one in ELEMENTS if POLLING in one.event_methods], ids=lambda element: element.key
)
every_element_with_callbacks = pytest.mark.parametrize(
    "element", [one for one in ELEMENTS if one.callbacks is not None], ids=lambda element: element.key
)
ADDRESS = "https://switchyard.example/elements/api-v2/events/some/unguessable"


def doubled(names: list) -> list:
    return [name for name, count in Counter(names).items() if count > 1]


def test_there_are_elements():
    assert {"connectwisecrmrest", "connectwisehd"} <= {element.key for element in ELEMENTS}


def test_keys_ids_and_entry_ids_are_unique():
    assert doubled([element.key for element in ELEMENTS]) == []
    assert doubled([element.id for element in ELEMENTS]) == []
    assert doubled([entry.id for element in ELEMENTS for entry in entries_of(element)]) == []


@every_element
def test_is_found_by_key_and_by_id(element: Element):
    assert registry.element(element.key) is registry.element(element.id) is registry.element(str(element.id)) is element


@every_element
def test_folder_is_named_by_the_key(element: Element):
    assert element.client.__module__.startswith(f"connectors.elements.{element.key}.") or "vendors" in (
        element.client.__module__
    )
    assert importlib.resources.files(f"connectors.elements.{element.key}").joinpath("definition.py").is_file()


def _shown_key(resource: Resource) -> str:
    return f"{resource.parent}/{{id}}/{resource.name}" if resource.parent else resource.name


@every_element
def test_readme_tells_people_what_to_fill_in(element: Element):
    readme = importlib.resources.files(f"connectors.elements.{element.key}").joinpath("README.md").read_text()

    assert readme.startswith(f"# {element.name} (`{element.key}`)\n")
    assert [entry.key for entry in element.fields if f"`{entry.key}`" not in readme] == []
    assert [resource.name for resource in element.resources if f"`{_shown_key(resource)}`" not in readme] == []


@every_element
def test_catalogue_text_is_worth_reading(element: Element):
    assert SIMPLE_NAME.fullmatch(element.hub)
    assert element.name.strip() == element.name != ""
    assert element.description.endswith(".")
    assert 20 <= len(element.description) <= 300
    assert element.event_methods != ()
    assert set(element.event_methods) <= {POLLING, WEBHOOK}


@every_element
def test_fields_are_described_and_secrets_flagged(element: Element):
    assert doubled([name for entry in element.fields for name in (entry.key, *entry.aliases)]) == []
    for entry in element.fields:
        assert entry.label, entry.key
        assert entry.description.endswith("."), entry.key
        assert not RESERVED.fullmatch(entry.key), entry.key
        assert entry.secret is bool(SECRET_WORD.search(entry.key)), entry.key
        assert entry.secret is (entry.type == "PASSWORD"), entry.key
        assert not (entry.secret and (entry.default or entry.identifies_account)), entry.key


@every_element
def test_some_field_says_which_account_it_is(element: Element):
    assert any(entry.identifies_account for entry in element.fields)
    assert all(entry.required for entry in element.fields if entry.identifies_account)


@every_element
def test_entries_are_in_order_and_complete(element: Element):
    entries = entries_of(element)
    keys = [entry.key for entry in entries]

    assert entries == entries_of(element)
    assert doubled(keys) == []
    assert keys[: len(element.fields)] == [entry.key for entry in element.fields]
    assert [entry.display_order for entry in entries] == sorted({entry.display_order for entry in entries})
    assert {
        configuration_entries.FILTER_NULLS,
        configuration_entries.EVENTS_ENABLED,
        configuration_entries.CALLBACK_URL,
        configuration_entries.SIGNATURE_KEY,
        configuration_entries.VENDOR_TYPE,
    } <= set(keys)
    for entry in entries:
        assert entry.name, entry.key
        assert entry.description.endswith("."), entry.key
        assert entry.default_value is None or isinstance(entry.default_value, str), entry.key
        assert not (entry.secret and entry.default_value), entry.key
        assert entry.id // configuration_entries.IDS_PER_ELEMENT == element.id, entry.key


@every_polling_element
def test_default_poller_configuration_parses_and_asks_for_resources_there_are(element: Element):
    (entry,) = [one for one in entries_of(element) if one.key == "event.poller.configuration"]
    assert (entry.type, entry.display_order, entry.required) == ("TEXTAREA", 104, False)
    sent = json.loads(str(entry.default_value))

    pollers = poller.parse(sent, element=element)

    assert list(pollers) == list(sent) == list(element.poller_configuration)
    for name, one in pollers.items():
        resource, parameters = hub_paths.parse_path(one.url)
        assert resource == name
        assert element.resource(resource)
        assert "where" in parameters


@every_element
def test_polling_is_offered_exactly_where_there_is_something_to_poll(element: Element):
    keys = {entry.key for entry in entries_of(element)}
    polling = {"event.poller.refresh_interval", "event.poller.configuration"}

    assert keys & polling == (polling if element.poller_configuration else set())
    assert bool(element.poller_configuration) is (POLLING in element.event_methods)


@every_element
def test_callbacks_are_offered_exactly_where_the_element_has_them(element: Element):
    keys = {entry.key for entry in entries_of(element)}
    callbacks = {"event.callback.types", "event.callback.unsigned"}

    assert keys & callbacks == (callbacks if element.callbacks else set())
    assert (element.callbacks is not None) is (WEBHOOK in element.event_methods)
    # What callbacks lose, a reconciling poll finds.
    assert element.callbacks is None or element.poller_configuration


@every_element_with_callbacks
def test_callbacks_that_are_wanted_by_default_can_be_reconciled(element: Element):
    assert element.callbacks is not None
    wanted = element.callbacks.wanted("")

    assert wanted
    assert doubled(list(wanted)) == []
    assert element.callbacks.covered_resources(wanted)
    assert element.callbacks.covered_resources(wanted) <= set(element.poller_configuration)
    assert element.callbacks.covered_resources(()) == frozenset()


@every_element_with_callbacks
def test_registered_url_keeps_the_address(element: Element):
    assert element.callbacks is not None
    assert element.callbacks.url(ADDRESS).startswith(ADDRESS)
    assert element.callbacks.signature_header == element.callbacks.signature_header.lower() != ""
    assert 400 <= element.callbacks.busy_status < 600


@every_element_with_callbacks
def test_callback_types_that_mean_nothing_are_refused_in_words(element: Element):
    assert element.callbacks is not None
    with pytest.raises(InvalidCallbackTypes, match="no-such-thing"):
        element.callbacks.wanted("no-such-thing")


@every_element
def test_resources_have_names_and_paths(element: Element):
    assert doubled([resource.key for resource in element.resources]) == []
    for resource in element.resources:
        assert SIMPLE_NAME.fullmatch(resource.name), resource.name
        assert resource.name not in ("objects", "ping", "hubs", "elements", "instances", "events")
        assert resource.path.startswith("/"), resource.name
        assert not resource.path.endswith("/"), resource.name
        assert resource.operations, resource.name
        assert element.resource(resource.key) is resource
        for template, _ in resource.child_fields.values():
            assert template.count("{test}") == 1, resource.name
        if resource.provider_names:
            assert set(resource.field_types) <= set(resource.provider_names), resource.name
            assert not set(resource.child_fields) & set(resource.provider_names), resource.name
            assert doubled([name.casefold() for name in resource.provider_names]) == [], resource.name


@every_element
def test_fields_say_what_can_be_written(element: Element):
    for resource in element.resources:
        fields = {one.name: one for one in resource.fields}
        assert doubled([one.name for one in resource.fields]) == [], resource.key
        assert not resource.fields or "id" in fields, resource.key
        for one in resource.fields:
            assert not (one.is_required and one.is_read_only), f"{resource.key}.{one.name}"
            assert one.longest is None or (one.type == "text" and one.longest > 0), f"{resource.key}.{one.name}"
        if "create" in resource.operations:
            assert any(one.is_required for one in resource.fields), resource.key
            assert resource.created_by, resource.key


@every_element
def test_what_can_be_changed_can_be_read(element: Element):
    for resource in element.resources:
        if resource.operations & {"replace", "update"}:
            assert "get" in resource.operations, resource.key


@every_element
def test_what_belongs_to_a_record_says_how(element: Element):
    for resource in element.resources:
        is_told = "{parent}" in resource.path or any("{parent}" in text for text in resource.of_parent.values())
        assert is_told is bool(resource.parent), resource.key
        assert "/" not in resource.parent, resource.key
        if resource.parent:
            assert "get" in element.resource(resource.parent).operations, resource.key


@every_element
def test_every_resource_is_found_by_its_path(element: Element):
    for resource in element.resources:
        collection = f"{resource.parent}/5/{resource.name}" if resource.parent else resource.name

        assert hub_paths.locate(element, collection).resource is resource
        assert hub_paths.locate(element, f"{collection}/7").record_id == "7"
        concrete = hub_paths.locate(element, collection).concrete()
        assert "{parent}" not in concrete.path + "".join(concrete.of_parent.values()), resource.key


@every_element
def test_collections_that_are_passed_through_hide_no_resource(element: Element):
    resources = {resource.name for resource in element.resources if not resource.parent}
    for name, path in element.vendor_objects.items():
        assert SIMPLE_NAME.fullmatch(name), name
        assert name not in resources
        assert name not in ("objects", "ping", "bulk", "hubs", "elements", "instances", "events", "jobs", "usage")
        assert re.fullmatch(r"(/[A-Za-z]+)+", path), name
        assert hub_paths.locate(element, name).resource.path == path
    assert doubled(list(element.vendor_objects.values())) == []


@every_element
def test_what_is_not_declared_costs_no_call(element: Element):
    connection = Connection(element=element, configuration={})
    writes: dict[Operation, tuple[Callable[..., object], tuple[Any, ...]]] = {
        "create": (hub.create, ({},)),
        "replace": (hub.replace, ("7", {})),
        "update": (hub.update, ("7", {})),
        "delete": (hub.delete, ("7",)),
    }
    for resource in element.resources:
        collection = f"{resource.parent}/5/{resource.name}" if resource.parent else resource.name
        for operation, (write, arguments) in writes.items():
            if operation not in resource.operations:
                with pytest.raises(OperationNotSupported):
                    write(connection, collection, *arguments)


@every_element
def test_unknown_resource_is_an_error_of_the_query(element: Element):
    with pytest.raises(InvalidQuery, match="no resource"):
        hub.find(Connection(element=element, configuration={}), "no-such-thing")
