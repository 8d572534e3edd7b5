"""`event.callback.types` and `event.callback.unsigned`: what is taken, kept, shown and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors import registry
from instances.configuration import blank, columns_of, configuration_of, merged, shown
from instances.errors import InvalidRequest
from instances.models import Instance
from tests.factories import CONNECTWISE, CONNECTWISE_HD, InstanceFactory

TYPES = "event.callback.types"
UNSIGNED = "event.callback.unsigned"
POLLERS = "event.poller.configuration"
HELP_DESK = registry.element("connectwisehd")


def columns(**sent: Any) -> dict[str, Any]:
    keys = {"types": TYPES, "unsigned": UNSIGNED, "method": "event.vendor.type"}
    return dict(merged(blank(HELP_DESK), CONNECTWISE_HD | {keys[name]: sent[name] for name in sent}).columns)


def polled(**sent: Any) -> set[str]:
    keys = {"types": TYPES, "method": "event.vendor.type"}
    return set(merged(blank(HELP_DESK), CONNECTWISE_HD | {keys[name]: sent[name] for name in sent}).pollers())


@pytest.mark.parametrize("value", [None, "", "  ", "\n"])
def test_blank_types_are_the_elements_default(value):
    assert columns(types=value)["callback_types"] == ""


@pytest.mark.parametrize("value", ["ticket", " ticket, Opportunity\nticket:board:12 "])
def test_types_are_kept_as_they_were_sent(value):
    assert columns(types=value)["callback_types"] == value.strip()


@pytest.mark.parametrize(
    "value, reason",
    [
        ("tickets", "there is no type 'tickets'; there are activity"),
        ("ticket:board", "ticket:board needs an id"),
        ("ticket\u0000", r"there is no type 'ticket\x00'"),
        (["ticket"], "send a text, such as ticket, company"),
        (7, "send a text"),
        (True, "send a text"),
    ],
)
def test_types_that_mean_nothing_are_refused_by_name(value, reason):
    with pytest.raises(InvalidRequest) as refused:
        columns(types=value)

    assert str(refused.value).startswith(f"{TYPES}: ")
    assert reason in str(refused.value)


def test_an_element_without_callbacks_takes_no_types():
    with pytest.raises(InvalidRequest, match="connectwisecrmrest gets no callbacks"):
        merged(blank(registry.element("connectwisecrmrest")), CONNECTWISE | {TYPES: "ticket"})


@pytest.mark.parametrize("value", [True, "true", "TRUE", " yes "])
def test_unsigned_callbacks_are_taken_on_request(value):
    assert columns(unsigned=value)["accepts_unsigned_callbacks"] is True


@pytest.mark.parametrize("value", [None, "", False, "false", "No"])
def test_unsigned_callbacks_are_refused_otherwise(value):
    assert columns(unsigned=value)["accepts_unsigned_callbacks"] is False


@pytest.mark.parametrize("value", ["1", 1, "on", "unsigned", [True]])
def test_nobody_accepts_unsigned_callbacks_by_mistake(value):
    with pytest.raises(InvalidRequest, match=UNSIGNED):
        columns(unsigned=value)


def test_what_callbacks_may_lose_is_polled_and_nothing_else():
    assert polled() == {"contacts", "organizations", "incidents", "time-entries"}
    assert polled(types="ticket, contact:company:250, opportunity") == {"incidents"}
    assert polled(types="opportunity") == set()
    assert polled(types="opportunity", method="polling") == {"contacts", "organizations", "incidents", "time-entries"}


@pytest.mark.django_db
def test_both_are_shown_and_come_back_unchanged():
    instance = InstanceFactory.create(
        element_key="connectwisehd", sent={TYPES: "Ticket, ticket:board:12", UNSIGNED: "true"}
    )

    seen = {entry.key: entry.value for entry in shown(instance)}

    assert (seen[TYPES], seen[UNSIGNED]) == ("Ticket, ticket:board:12", "true")
    assert merged(configuration_of(instance), seen).columns == configuration_of(instance).columns


def test_a_poller_configuration_that_was_only_sent_back_goes_on_following_the_types():
    def kept(sent: dict[str, Any]) -> Instance:
        return Instance(element_key=HELP_DESK.key, **columns_of(merged(blank(HELP_DESK), CONNECTWISE_HD | sent)))

    def seen(instance: Instance) -> dict[str, Any]:
        return {entry.key: entry.value for entry in shown(instance)}

    before = kept({TYPES: "ticket:board:12, contact"})
    assert set(json.loads(seen(before)[POLLERS])) == {"contacts"}

    same = merged(configuration_of(before), seen(before))
    other = merged(configuration_of(before), seen(before) | {TYPES: "ticket"})
    first = kept({POLLERS: dict(HELP_DESK.poller_configuration), TYPES: "company"})

    assert set(same.pollers()) == {"contacts"}
    assert set(other.pollers()) == {"incidents"}
    assert set(configuration_of(first).pollers()) == {"organizations"}


def test_a_poller_configuration_of_ones_own_stays():
    own = {"incidents": HELP_DESK.poller_configuration["incidents"]}

    configuration = merged(blank(HELP_DESK), CONNECTWISE_HD | {POLLERS: json.dumps(own), TYPES: "company"})

    assert set(configuration.pollers()) == {"incidents"}
    assert set(merged(configuration, {TYPES: "contact"}).pollers()) == {"incidents"}


@pytest.mark.django_db
def test_unset_they_are_shown_as_their_defaults():
    seen = {entry.key: entry.value for entry in shown(InstanceFactory.create(element_key="connectwisehd"))}

    assert (seen[TYPES], seen[UNSIGNED]) == (None, "false")


def test_the_api_refuses_and_changes_nothing(api, owner):
    instance = InstanceFactory.create(user=owner, element_key="connectwisehd", sent={TYPES: "ticket"})

    answer = api.patch(f"/instances/{instance.pk}", {"configuration": {TYPES: "ticket:bord:12"}})

    assert answer.status_code == 400
    assert "ticket has no level 'bord'; it has owner, board" in answer.json()["message"]
    assert Instance.objects.get(pk=instance.pk).callback_types == "ticket"


def test_the_api_takes_them_without_asking_the_provider(api, owner):
    """Nobody answers at this instance's provider."""
    instance = InstanceFactory.create(user=owner, element_key="connectwisehd")

    answer = api.patch(f"/instances/{instance.pk}", {"configuration": {TYPES: "ticket", UNSIGNED: True}})

    assert answer.status_code == 200
    instance.refresh_from_db()
    assert (instance.callback_types, instance.accepts_unsigned_callbacks) == ("ticket", True)
