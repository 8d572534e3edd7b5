"""An element that the platform has never heard of works by its folder alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from config import celery  # noqa: F401  # the broker that configuration changes ring at
from connectors import elements, registry
from connectors.element import Element
from instances.models import Instance
from tests.api_client import Api
from tests.connectors.third_element.provider import SECRET, Ledger
from tests.polling.driving import poll, reports

FOLDER = Path(__file__).parent / "third_element"

pytestmark = pytest.mark.django_db


@pytest.fixture
def element() -> Iterator[Element]:
    """As if its folder lay among the others."""
    elements.__path__.append(str(FOLDER))
    registry.all_elements.cache_clear()
    yield registry.element("ledger")
    elements.__path__.remove(str(FOLDER))
    registry.all_elements.cache_clear()
    for name in [one for one in sys.modules if one.startswith("connectors.elements.ledger")]:
        del sys.modules[name]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as running:
        running.add(fullName="Ada", town="London")
        running.add(fullName="Grace", town=None)
        running.now += timedelta(hours=1)
        yield running


@pytest.fixture
def instance(element, ledger, api) -> Instance:
    sent = {
        "name": "Books",
        "element": {"key": "ledger"},
        "configuration": {
            "ledger.url": ledger.url,
            "ledger.secret": SECRET,
            "event.notification.enabled": True,
            "event.notification.callback.url": "http://127.0.0.1:8009/callback",
            "event.poller.refresh_interval": 1,
        },
    }
    answer = api.post("/instances", sent)
    assert answer.status_code == 200, answer.content
    return Instance.objects.get(pk=answer.json()["id"])


@pytest.fixture
def hub_api(api: Api, instance: Instance) -> Api:
    return api.through(instance)


def test_is_in_the_catalogue(element, api):
    assert "ledger" in api.get("/elements/keys").json()
    assert api.get("/elements/9001").json()["key"] == "ledger"
    assert [one["key"] for one in api.get("/elements/ledger").json()["configuration"]][:2] == [
        "ledger.url",
        "ledger.secret",
    ]
    assert "finance" in [one["key"] for one in api.get("/hubs").json()]


def test_instance_is_checked_when_it_is_made(element, ledger, api):
    configuration = {"ledger.url": ledger.url, "ledger.secret": "wrong"}
    sent = {"name": "Books", "element": {"key": "ledger"}, "configuration": configuration}

    answer = api.post("/instances", sent)

    assert answer.status_code == 400
    assert answer.json()["providerMessage"] == "Who are you?"
    assert "wrong" not in answer.content.decode()


def test_records_are_read_through_the_hub(hub_api):
    first, second = hub_api.get("/hubs/finance/people").json()

    assert (first["id"], first["name"], first["city"]) == ("p-001", "Ada", "London")
    assert "city" not in second
    assert hub_api.get("/people", where="name='Grace'").json() == [second]
    assert hub_api.get("/people/p-001").json() == first
    assert hub_api.get("/people", where="city='London'").status_code == 400
    page = hub_api.get("/people", pageSize=1)
    token = page["Elements-Next-Page-Token"]
    assert page.json() + hub_api.get("/people", nextPage=token).json() == [first, second]
    assert "people" in hub_api.get("/objects").json()


def test_records_are_written_through_the_hub(hub_api, ledger):
    made = hub_api.post("/people", {"name": "Alan", "city": "Wilmslow"}).json()

    assert ledger.people[made["id"]]["fullName"] == "Alan"
    path = f"/people/{made['id']}"
    assert hub_api.patch(path, {"city": None, "id": "x"}).json() | {"city": None} == {**made, "city": None}
    assert hub_api.put(path, {"name": "Alan Turing"}).json()["name"] == "Alan Turing"
    assert "planet" in hub_api.patch(path, {"planet": "Earth"}).json()["message"]
    assert hub_api.delete(path).status_code == 200
    assert hub_api.get(path).status_code == 404
    assert hub_api.delete(path).status_code == 404


def test_changes_are_polled_into_events(instance, ledger):
    poll(instance)
    ledger.now += timedelta(minutes=5)
    ledger.people["p-002"] |= {"town": "New York", "changed": ledger.now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    ledger.add(fullName="Alan")
    ledger.now += timedelta(minutes=5)
    poll(instance)
    poll(instance)

    told = [(one.object_id, one.event_type, one.object_type) for one in reports(instance)]
    assert sorted(told) == [("p-002", "UPDATED", "people"), ("p-003", "CREATED", "people")]
