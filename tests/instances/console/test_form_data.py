"""What is typed becomes the request that a client of the API would send, and nothing besides."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.http import QueryDict

from connectors import configuration_entries as keys
from connectors import registry
from instances.configuration import MASK, ShownEntry
from instances.console import form_data, form_fields, form_request
from instances.console.form_data import Initial, Wanted

CRM = registry.element("connectwisecrmrest")
NEW = form_fields.fields_of(CRM)
STORED = form_fields.with_values(
    NEW,
    [
        ShownEntry(id=0, key=key, name="", value=value, is_required=False)
        for key, value in {
            "baseUrl": "https://na.example.com/apis/3.0",
            "company": "acme",
            "private.key": MASK,
            keys.EVENTS_ENABLED: "true",
            keys.SIGNATURE_KEY: MASK,
            keys.REFRESH_INTERVAL: "15",
            keys.POLLER_CONFIGURATION: '{"contacts": {"url": "/hubs/crm/contacts", "extra": {"a": 1}}}',
        }.items()
    ],
)


DEEP = "[" * 990 + "]" * 990


def posted(**values: str) -> QueryDict:
    post = QueryDict(mutable=True)
    post.update(values)
    return post


def of_new(values: dict[str, str]) -> Wanted:
    drawn = form_data.initial_of(NEW)
    return form_data.wanted(form_data.typed(posted(**values), NEW, drawn), NEW, drawn, is_new=True)


def of_stored(values: dict[str, str], initial: Initial | None = None) -> Wanted:
    drawn = initial or form_data.initial_of(STORED, name="Acme", tags=["north"])
    sent = {keys.EVENTS_ENABLED: "true", "instance-name": "Acme", "instance-tags": "north"} | values
    return form_data.wanted(form_data.typed(posted(**sent), STORED, drawn), STORED, drawn, is_new=False)


def test_new_instance_sends_what_differs_from_the_defaults() -> None:
    pollers = next(one.value for one in NEW if one.kind == "pollers")
    wanted = of_new(
        {
            "instance-name": " Acme ",
            "instance-tags": "north\r\nsouth, east\r\n\r\nnorth",
            "company": "acme",
            "private.key": " kept as it is ",
            "filter.response.nulls": "true",
            keys.REFRESH_INTERVAL: "15",
            keys.EVENTS_ENABLED: "true",
            keys.POLLER_CONFIGURATION: pollers.replace("\n", "\r\n"),
        }
    )

    assert wanted.body(CRM) == {
        "name": "Acme",
        "element": {"key": "connectwisecrmrest"},
        "tags": ["north", "south, east"],
        "configuration": {"company": "acme", "private.key": " kept as it is ", keys.EVENTS_ENABLED: True},
    }


def test_form_that_nobody_touched_changes_nothing() -> None:
    assert of_stored({}).is_empty
    compact = json.dumps({"contacts": {"url": "/hubs/crm/contacts", "extra": {"a": 1}}})
    assert of_stored({keys.POLLER_CONFIGURATION: compact}).is_empty
    # Over the API come texts that no box of one line can hold as they are.
    drawn = form_data.initial_of(STORED, name="Acme\nNorth", tags=["a\nb", "c\u2028d", "a"])
    odd = replace(drawn, values={**drawn.values, "company": "ac\nme"})
    as_sent = {"instance-name": "AcmeNorth", "instance-tags": "a\r\nb\r\nc\u2028d\r\na", "company": "acme"}
    assert of_stored(as_sent, odd).is_empty


def test_what_others_changed_meanwhile_is_not_changed_back() -> None:
    was_drawn = Initial(name="Old", tags=(), values={one.key: one.value for one in STORED} | {"company": "older"})
    wanted = of_stored({"instance-name": "Old", "instance-tags": "", "company": "older"}, was_drawn)

    assert wanted.is_empty
    read = form_data.initial_from(posted(initial=was_drawn.text()), Initial())
    assert read == was_drawn


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"name": 1}', '{"name": "", "tags": 5, "values": {}}'])
def test_page_that_lost_what_it_was_drawn_with_is_compared_with_what_is_there(text: str) -> None:
    assert form_data.initial_from(posted(initial=text), Initial(name="there")) == Initial(name="there")


def test_secret_is_kept_unless_typed_and_goes_when_asked() -> None:
    assert of_stored({"private.key": "", keys.SIGNATURE_KEY: ""}).is_empty
    assert of_stored({"private.key": "new"}).configuration == {"private.key": "new"}
    assert of_stored({f"remove:{keys.SIGNATURE_KEY}": "on"}).configuration == {keys.SIGNATURE_KEY: None}
    assert of_stored({"remove:private.key": "on"}).is_empty  # it is required


@pytest.mark.parametrize(
    ("key", "typed", "sent"),
    [
        (keys.REFRESH_INTERVAL, "30", 30),
        (keys.REFRESH_INTERVAL, "0.5", 0.5),
        (keys.REFRESH_INTERVAL, "soon", "soon"),
        (keys.FILTER_NULLS, "false", False),
        (keys.CALLBACK_URL, "https://a.example/\x00b", "https://a.example/b"),
        (
            keys.POLLER_CONFIGURATION,
            '{"contacts": {"url": "/x", "extra": [1]}}',
            {"contacts": {"url": "/x", "extra": [1]}},
        ),
        (keys.POLLER_CONFIGURATION, '{"contacts": ', '{"contacts": '),
        (keys.POLLER_CONFIGURATION, '{"contacts": "\\u0000"}', '{"contacts": "\\u0000"}'),
        (keys.POLLER_CONFIGURATION, f'{{"contacts": {DEEP}}}', f'{{"contacts": {DEEP}}}'),
        (keys.POLLER_CONFIGURATION, "contacts|incidents", "contacts|incidents"),
    ],
)
def test_values_go_as_the_api_has_them_and_what_cannot_be_read_goes_as_typed(
    key: str, typed: str, sent: object
) -> None:
    assert of_stored({key: typed}).configuration == {key: sent}


def test_curl_carries_the_body_unchanged_and_secrets_on_request_only(settings) -> None:
    settings.PUBLIC_URL = "https://switchyard.example/"
    wanted = of_new({"instance-name": "It's", "private.key": "canary", keys.SIGNATURE_KEY: "canary-2"})

    text = form_request.curl(wanted, NEW, element=CRM)

    assert text.startswith("curl -X POST 'https://switchyard.example/elements/api-v2/instances'")
    assert "canary" not in text
    body = json.loads(text.partition("<<'JSON'\n")[2].removesuffix("\nJSON"))
    assert body["name"] == "It's"
    assert body["configuration"]["private.key"] == "YOUR_PRIVATE_KEY"
    assert "canary-2" in form_request.curl(wanted, NEW, element=CRM, has_secrets=True)
    assert wanted.configuration["private.key"] == "canary"
    assert "canary" not in repr(wanted)
