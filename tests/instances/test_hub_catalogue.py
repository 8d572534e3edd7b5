from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors import elements, registry
from instances.models import Instance
from tests.api_client import Api
from tests.factories import InstanceFactory

ANYBODY = Api(None)
CRM, HELP_DESK = "connectwisecrmrest", "connectwisehd"


def test_hubs_are_open_to_anybody():
    hubs = ANYBODY.get("/hubs").json()

    assert [hub["key"] for hub in hubs] == ANYBODY.get("/hubs/keys").json()
    assert {"crm", "helpdesk"} <= {hub["key"] for hub in hubs}
    assert all(hub["active"] is True and hub["name"] and "elements" not in hub for hub in hubs)
    assert ANYBODY.call("GET", "/hubs", authorization="Basic x,").json() == hubs


def test_hydrated_hubs_hold_their_resources_and_elements():
    hubs = {hub["key"]: hub for hub in ANYBODY.get("/hubs", hydrate="true").json()}

    assert [element["key"] for element in hubs["crm"]["elements"]] == [CRM]
    assert {"name": "contacts", "path": "/hubs/crm/contacts", "elements": [CRM]} in hubs["crm"]["resources"]
    assert all(hub["resources"] for hub in hubs.values())


def test_one_hub_and_its_elements():
    assert ANYBODY.get("/hubs/helpdesk").json()["key"] == "helpdesk"
    assert ANYBODY.get("/hubs/helpdesk/elements").json() == [ANYBODY.get(f"/elements/{HELP_DESK}").json()]


@pytest.mark.parametrize("path", ["/hubs/nothing", "/hubs/nothing/elements"])
def test_unknown_hub_is_404_and_names_the_known(path):
    answer = ANYBODY.get(path)

    assert answer.status_code == 404
    assert "crm" in answer.json()["message"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_elements_without_oauth_say_how_instances_are_made_instead(api, method):
    body = {"apiKey": "a"} if method == "POST" else None

    answer = api.call(method, f"/elements/{CRM}/oauth/url", body)

    assert answer.status_code == 400
    assert "uses no OAuth" in answer.json()["message"]
    assert api.call(method, "/elements/nothing/oauth/url", body).status_code == 404
    assert ANYBODY.call(method, f"/elements/{CRM}/oauth/url", body).status_code == 401


def test_what_the_catalogue_promises_is_there(api):
    element = ANYBODY.get(f"/elements/{CRM}").json()
    metadata = ANYBODY.get(f"/elements/{CRM}/metadata", expand="true").json()
    resources = {one["canonicalName"]: one for one in metadata["resources"]}

    assert (element["transformationsEnabled"], element["bulkDownloadEnabled"], element["bulkUploadEnabled"]) == (
        True,
        True,
        False,
    )
    assert (metadata["transformations"], metadata["bulk"]) == (True, {"upload": False, "download": True})
    assert resources["contacts"]["bulk"]["download"]["supported"] is True


# Names that the platform keeps


RESERVED = [
    "/formulas",
    "/instances/1/nothing",
    "/users/1",
    "/usage/a/b/c",
    "/jobs/1/2/3",
    "/accounts",
    "/elements/a/b",
]


@pytest.mark.parametrize("path", RESERVED)
def test_path_that_the_platform_keeps_is_no_resource(api, path):
    instance = InstanceFactory.create(user=api.user)

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for caller in (api, api.through(instance), api.through("stale")):
            answer = caller.call(method, path)
            assert (answer.status_code, set(answer.json())) == (404, {"requestId", "message"}), method
        assert ANYBODY.call(method, path).status_code == 401
        user_alone = api.authorization.split(", ")[0]
        assert api.call(method, path, authorization=user_alone).status_code == 401


def test_hub_has_the_names_that_the_platform_keeps_for_itself_without_one(api):
    instance = InstanceFactory.create(user=api.user)

    assert "GET /objects" in api.through(instance).get("/hubs/crm/usage").json()["message"]
    assert api.get("/hubs/crm/usage").status_code == 401


BOOKKEEPING = """
from dataclasses import replace

from connectors.elements.connectwisecrmrest.definition import ELEMENT as CRM

ACCOUNTS = replace(CRM.resource("organizations"), name="accounts")
ELEMENT = replace(CRM, key="bookkeeping", id=9002, hub="finance", resources=(ACCOUNTS,), poller_configuration={})
"""


@pytest.fixture
def bookkeeping(tmp_path: Path) -> Iterator[str]:
    """The key of an element that has a resource `accounts`."""
    folder = tmp_path / "bookkeeping"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "definition.py").write_text(BOOKKEEPING)
    elements.__path__.append(str(tmp_path))
    registry.all_elements.cache_clear()
    yield "bookkeeping"
    elements.__path__.remove(str(tmp_path))
    registry.all_elements.cache_clear()
    for name in [one for one in sys.modules if one.startswith("connectors.elements.bookkeeping")]:
        del sys.modules[name]


def test_accounts_are_records_for_the_token_of_an_element_that_has_some(api, sandbox, credentials, bookkeeping):
    instance = InstanceFactory.create(user=api.user, sent=credentials)
    Instance.objects.update(element_key=bookkeeping)
    through = api.through(instance)
    number = sandbox.companies.ids()[0]

    assert through.get("/accounts").json() == through.get("/hubs/finance/accounts").json()
    assert through.get(f"/accounts/{number}").json()["id"] == number
    assert through.get("/accounts/settings").json() == api.get("/accounts/settings").json()
    assert api.get("/accounts").status_code == 404
    assert ANYBODY.get("/accounts").status_code == 401
    Instance.objects.update(is_disabled=True)
    assert through.get("/accounts").status_code == 403
