from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sandbox import Sandbox
from instances.models import Instance, User
from tests.api_client import Api
from tests.factories import InstanceFactory, UserFactory

VERBS = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def provider() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=5, companies=3, tickets=4) as running:
        yield running


@pytest.fixture
def instance(provider, owner):
    return InstanceFactory.create(
        user=owner,
        sent={
            "baseUrl": provider.base_url,
            "company": provider.company,
            "public.key": provider.public_key,
            "private.key": provider.private_key,
        },
    )


@pytest.fixture
def hub_api(api, instance) -> Api:
    caller: Api = api.through(instance)
    return caller


@pytest.fixture
def asked(provider) -> Any:
    """How many requests the provider got since."""
    before = len(provider.requests)
    return lambda: len(provider.requests) - before


def test_record_is_created_changed_replaced_and_deleted_with_200(hub_api, instance, provider):
    made = hub_api.post("/hubs/crm/contacts", {"firstName": "Ada", "lastName": "Byron"})
    assert made.status_code == 200, made.content
    assert made["Elements-Element-Instance-Id"] == str(instance.pk)
    path = f"/contacts/{made.json()['id']}"

    changed = hub_api.patch(path, {"lastName": "Lovelace", "title": "Countess"})
    assert (changed.status_code, changed.json()["firstName"], changed.json()["title"]) == (200, "Ada", "Countess")
    replaced = hub_api.put(f"/hubs/any{path}", {"firstName": "Augusta", "lastName": "King"})
    assert (replaced.status_code, replaced.json()["firstName"]) == (200, "Augusta")
    assert "title" not in replaced.json()
    assert replaced.json() == hub_api.get(path).json()

    deleted = hub_api.delete(path)
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert hub_api.get(path).status_code == 404
    assert made.json()["id"] not in provider.contacts.ids()


@pytest.mark.parametrize("odd", ["1" * 30, '{"a":' * 300 + "1" + "}" * 300], ids=["long number", "deep"])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_record_that_quick_writers_cannot_write_is_answered_all_the_same(hub_api, provider, method, odd):
    body = '{"id":1,"odd":' + odd + "}"
    provider.behave(method=method, path="/company/contacts", body=body, content_type="application/json")

    answer = hub_api.call(method, "/contacts/1", {"firstName": "Ada"} if method == "PATCH" else None)

    assert (answer.status_code, answer.content.decode()) == (200, body)


def test_put_creates_where_the_resource_says_so(hub_api, provider):
    ticket = provider.tickets.ids()[0]
    new = next(one for one in provider.configurations.ids() if one not in provider.attachments.of(ticket))
    attached = hub_api.put(f"/incidents/{ticket}/configurations", {"id": new})

    assert attached.status_code == 200, attached.content
    assert hub_api.put("/contacts", {"firstName": "Ada"}).status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/contacts", "GET, HEAD, POST"),
        ("DELETE", "/hubs/crm/contacts", "GET, HEAD, POST"),
        ("POST", "/contacts/1", "GET, HEAD, PUT, PATCH, DELETE"),
        ("PATCH", "/time-entries/1", "GET, HEAD, DELETE"),
        ("POST", "/incidents/1/time-entries", "GET, HEAD"),
        ("GET", "/incidents/1/members", "POST"),
        ("POST", "/incidents/1/configurations", "GET, HEAD, PUT"),
        ("DELETE", "/service/boards/1", "GET, HEAD"),
        ("TRACE", "/contacts", "GET, HEAD, POST"),
    ],
)
def test_other_verbs_are_405_and_the_header_and_message_name_what_there_is(hub_api, asked, method, path, allowed):
    answer = hub_api.call(method, path, {"a": 1} if method != "GET" else None)

    assert (answer.status_code, answer["Allow"]) == (405, allowed)
    message = answer.json()["message"]
    assert message.startswith(f"{method} is not supported here; ")
    assert all(verb in message for verb in allowed.replace("HEAD, ", "").replace(", HEAD", "").split(", "))
    assert asked() == 0


@pytest.mark.parametrize("path", ["/contacts/1/nothing/2/deep/er/still", "/incidents/1/members/2", "/nothing"])
def test_what_cannot_be_used_at_all_is_not_there(hub_api, asked, path):
    for method in ("GET", *VERBS):
        assert hub_api.call(method, path, {"a": 1}).status_code == 404, method
    assert asked() == 0


@pytest.mark.parametrize("body", [b"[]", b'[{"firstName": "Ada"}]', b'"x"', b"7", b"null", b"{}", b"", b"   "])
@pytest.mark.parametrize(("method", "path"), [("POST", "/contacts"), ("PUT", "/contacts/1"), ("PATCH", "/contacts/1")])
def test_body_that_is_no_record_is_400_and_costs_no_call(hub_api, asked, method, path, body):
    answer = hub_api.call(method, path, body)

    assert answer.status_code == 400
    assert "JSON object" in answer.json()["message"]
    assert asked() == 0


def test_body_that_is_no_json_is_refused_by_kind(hub_api, asked):
    assert hub_api.call("POST", "/contacts", b'{"firstName": "a", "firstName": "b"}').status_code == 400
    answer = hub_api._client.post(
        "/elements/api-v2/contacts", {"firstName": "a"}, headers={"Authorization": hub_api.authorization}
    )
    assert answer.status_code == 415
    assert asked() == 0


def test_refusal_of_the_provider_comes_back_in_its_words(hub_api):
    answer = hub_api.post("/contacts", {"lastName": "Nobody"})

    assert answer.status_code == 400
    assert "firstName" in answer.content.decode()
    assert answer.json()["requestId"] == answer["Elements-Request-Id"]


def test_record_that_is_not_there_cannot_be_changed(hub_api):
    for method in ("PUT", "PATCH", "DELETE"):
        body = None if method == "DELETE" else {"firstName": "Ada", "lastName": "Byron"}
        answer = hub_api.call(method, "/contacts/999999", body)
        assert (answer.status_code, "message" in answer.json()) == (404, True), method


def test_viewer_neither_reads_nor_writes(owner, instance, provider, asked):
    viewer = Api(UserFactory.create(organization=owner.organization, role=User.VIEWER)).through(instance)
    before = [provider.contacts.get(number) for number in provider.contacts.ids()]
    number = provider.contacts.ids()[0]

    assert viewer.get("/objects").status_code == 200
    asked_before = asked()
    reading = (("GET", "/contacts"), ("GET", f"/contacts/{number}"))
    for method, path in (*reading, ("POST", "/contacts"), *((verb, f"/contacts/{number}") for verb in VERBS[1:])):
        answer = viewer.call(method, path, None if method == "GET" else {"firstName": "Ada"})
        assert (answer.status_code, "role" in answer.json()["message"]) == (403, True), method

    assert asked() == asked_before
    assert [provider.contacts.get(number) for number in provider.contacts.ids()] == before


def test_disabled_instance_is_403_before_anything_is_said_about_the_path(hub_api, instance, asked):
    Instance.objects.update(is_disabled=True)

    for method in VERBS:
        for path in ("/contacts", "/contacts/1", "/nothing"):
            assert hub_api.call(method, path, {"a": 1}).status_code == 403, (method, path)
    assert asked() == 0


@pytest.mark.parametrize("method", VERBS)
def test_stranger_is_401(stranger, api, instance, asked, method):
    for caller in (Api(stranger).through(instance), api):
        assert caller.call(method, "/contacts/1", {"firstName": "Mallory"}).status_code == 401
    assert asked() == 0


def test_answer_that_was_lost_says_to_look_before_sending_again(hub_api, provider):
    provider.behave(path="/company/contacts", drop=True)

    answer = hub_api.post("/contacts", {"firstName": "Ada", "lastName": "Byron"})

    assert answer.status_code == 502
    assert "look" in answer.json()["message"].lower()


def test_nulls_of_what_was_written_go_or_stay_as_the_instance_says(hub_api, instance, provider):
    number = provider.contacts.ids()[1]
    provider.behave(path=f"/company/contacts/{number}", status=200, body={"id": number, "title": None}, times=2)

    Instance.objects.update(filters_nulls=False)

    assert hub_api.get(f"/contacts/{number}").json() == {"id": number, "title": None}
    Instance.objects.update(filters_nulls=True)
    assert hub_api.get(f"/contacts/{number}").json() == {"id": number}


def test_collections_of_the_providers_own_are_read_by_name_and_by_path(hub_api):
    boards = hub_api.get("/boards").json()

    assert boards == hub_api.get("/hubs/crm/service/boards").json()
    assert hub_api.get(f"/boards/{boards[0]['id']}").json() == boards[0]
    assert hub_api.get(f"/boards/{boards[0]['id']}/statuses").json()
    assert hub_api.get("/boards", where=f"id={boards[0]['id']}").json() == boards[:1]


segments = st.sampled_from(
    ["contacts", "incidents", "boards", "objects", "metadata", "hubs", "crm", "ping", "..", "é", "%00"]
)
paths = st.lists(segments | st.text(max_size=6) | st.integers(-1, 9).map(str), max_size=6).map(
    lambda parts: "/" + "/".join(quote(part, safe="%") for part in parts)
)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["GET", "POST", "PUT", "PATCH"]), path=paths, where=st.text(max_size=8))
def test_no_path_is_an_error_of_ours(hub_api, method, path, where):
    query = {"where": where} if method == "GET" else {}

    answer = hub_api.call(method, path, None if method == "GET" else {"firstName": where}, **query)

    assert answer.status_code < 500, answer.content
    if answer.status_code != 200:
        assert {"requestId", "message"} <= answer.json().keys()
