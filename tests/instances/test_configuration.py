"""The flat mapping: merging, masking, and the round trip of what the API shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import registry
from instances.configuration import MASK, blank, columns_of, configuration_of, is_own_events_url, merged, shown
from instances.errors import InvalidRequest
from instances.models import Instance
from tests.factories import CONNECTWISE

ELEMENT = registry.element("connectwisecrmrest")
DECLARED = {field.key for field in ELEMENT.fields}

texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
unknown_keys = st.from_regex(r"our\.[a-z]{1,8}(\.(password|secret|token|name|key))?", fullmatch=True)
json_values = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), texts, st.lists(st.integers(0, 9)))
sent_configurations = st.fixed_dictionaries(
    {key: st.just(value) for key, value in CONNECTWISE.items()} | {"private.key": texts.filter(bool)},
    optional={
        "event.notification.enabled": st.sampled_from([True, False, "true", "FALSE", "yes", "no"]),
        "filter.response.nulls": st.booleans(),
        "event.notification.callback.url": st.sampled_from([None, "", "https://app.example.com/ce?x=1"]),
        "event.notification.signature.key": st.one_of(st.none(), texts),
        "event.notification.raw": st.sampled_from(["own", "full"]),
        "event.notification.retry.schedule": st.sampled_from([None, "", "sap-5", "10,60", [5, 50], "[1, 2]"]),
        "event.notification.ordering": st.sampled_from([None, "none", "object"]),
        "event.notification.signature.overlap.hours": st.none() | st.integers(0, 720) | st.just(" 48 "),
        "event.notification.signature.legacy": st.sampled_from([None, "new", "Old"]),
        "event.poller.refresh_interval": st.one_of(st.integers(1, 10**9), st.sampled_from(["0.5", "15"])),
        "event.poller.configuration": st.sampled_from([None, dict(ELEMENT.poller_configuration), ["contacts"]]),
    },
)


def kept(sent: dict) -> Instance:
    return Instance(element_key=ELEMENT.key, **columns_of(merged(blank(ELEMENT), sent)))


@given(sent_configurations, st.dictionaries(unknown_keys, json_values, max_size=4))
def test_sending_back_what_is_shown_changes_nothing(declared, unknown):
    before = configuration_of(kept(declared | unknown))
    seen = {entry.key: entry.value for entry in shown(kept(declared | unknown))}

    after = merged(before, seen)

    assert {key: value for key, value in after.entries.items() if value is not None and key in before.entries} == {
        key: value for key, value in before.entries.items() if value is not None
    }
    assert after.connection() == before.connection()
    unsaid = {"poller_configuration"}  # shown as text, and where unset as the element's default
    assert {key: value for key, value in after.columns.items() if key not in unsaid} == {
        key: value for key, value in before.columns.items() if key not in unsaid
    }
    assert after.pollers() == before.pollers()


@given(texts.filter(lambda text: len(text) > 8), unknown_keys.filter(lambda key: key.endswith(("password", "secret"))))
def test_secrets_are_shown_as_nothing_but_the_mask(secret, key):
    instance = kept(CONNECTWISE | {"private.key": secret, key: secret, "event.notification.signature.key": secret})

    values = [entry.value for entry in shown(instance)]

    assert secret not in values
    assert values.count(MASK) == 3


@pytest.mark.parametrize(
    ("key", "is_masked"),
    [
        ("password", True),
        ("oauth.api.key", True),
        ("oauth.api.secret", True),
        ("helpdesk.connectwise.password", True),
        ("oauth.user.token", True),
        ("apiToken", True),
        ("username", False),
        ("public.key", False),
        ("helpdesk.connectwise.username", False),
        ("oauth.callback.url", False),
    ],
)
def test_keys_are_masked_by_what_they_name(key, is_masked):
    values = {entry.key: entry.value for entry in shown(kept(CONNECTWISE | {key: "x"}))}

    assert (values[key] == MASK) is is_masked


@pytest.mark.parametrize(
    ("key", "sent", "shown_as"),
    [
        ("event.notification.retry.schedule", None, None),
        ("event.notification.retry.schedule", "SAP-5", "sap-5"),
        ("event.notification.retry.schedule", [10, 60, 600], "10,60,600"),
        ("event.notification.ordering", None, "none"),
        ("event.notification.ordering", "Object", "object"),
        ("event.notification.signature.overlap.hours", "", "24"),
        ("event.notification.signature.overlap.hours", "0", "0"),
        ("event.notification.signature.overlap.hours", 720, "720"),
        ("event.notification.signature.legacy", None, "new"),
        ("event.notification.signature.legacy", "old", "old"),
    ],
)
def test_settings_of_delivery_are_shown_as_they_were_understood(key, sent, shown_as):
    values = {entry.key: entry.value for entry in shown(kept(CONNECTWISE | {key: sent}))}

    assert values[key] == shown_as


def test_settings_of_delivery_stay_until_they_are_sent_again():
    before = merged(blank(ELEMENT), CONNECTWISE | {"event.notification.retry.schedule": "10,60"})

    assert merged(before, {"event.notification.ordering": "object"}).columns["retry_schedule"] == "10,60"
    assert merged(before, {"event.notification.retry.schedule": None}).columns["retry_schedule"] == ""


@pytest.mark.parametrize(
    ("key", "sent", "says"),
    [
        ("event.notification.retry.schedule", "often", "send elements-9"),
        ("event.notification.ordering", "strict", "send none or object"),
        ("event.notification.ordering", ["object"], "send none or object"),
        ("event.notification.signature.overlap.hours", 721, "whole hours from 0 to 720"),
        ("event.notification.signature.overlap.hours", "-1", "whole hours"),
        ("event.notification.signature.overlap.hours", 1.5, "whole hours"),
        ("event.notification.signature.overlap.hours", True, "whole hours"),
        ("event.notification.signature.overlap.hours", "9" * 5000, "whole hours"),
        ("event.notification.signature.legacy", "both", "send new or old"),
    ],
)
def test_settings_of_delivery_that_make_no_sense_are_refused_with_the_way_out(key, sent, says):
    with pytest.raises(InvalidRequest, match=f"^{key}: .*{says}"):
        merged(blank(ELEMENT), {key: sent})


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("https://sy.example.com/elements/api-v2/events/connectwisecrmrest", True),
        ("https://SY.example.com:443//elements/api-v2/events/connectwisecrmrest?x=1", True),
        ("http://localhost:8000/elements/api-v2/events/x", True),
        ("http://localhost:8001/elements/api-v2/events/x", False),
        ("https://sy.example.com:8443/elements/api-v2/events/x", False),
        ("https://sy.example.com/elements/api-v2/eventsources", False),
        ("https://app.example.com/elements/api-v2/events/connectwisecrmrest", False),
        ("https://sy.example.com/ce", False),
        ("https://[broken", False),
        ("", False),
    ],
)
def test_own_receiver_is_known_by_its_address(settings, url, is_own):
    settings.PUBLIC_URL = "https://sy.example.com"
    settings.PORT = 8000

    assert is_own_events_url(url) is is_own


def test_representation_shows_no_secret():
    configuration = merged(blank(ELEMENT), CONNECTWISE)

    assert CONNECTWISE["private.key"] not in repr(configuration)
    assert CONNECTWISE["private.key"] not in repr(configuration.connection())


def test_every_declared_field_is_given_to_the_client():
    assert set(merged(blank(ELEMENT), CONNECTWISE | {"our.own": "x"}).connection().configuration) == DECLARED
