from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from connectors import nulls
from connectors.sandbox import Sandbox
from instances.models import Instance, User
from tests.api_client import BASE, Api
from tests.factories import InstanceFactory, token_of

RECORDS = "/hubs/crm/contacts"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=23, companies=5, tickets=12) as sandbox:
        yield sandbox


def instance_at(sandbox: Sandbox, owner: User, **sent: Any) -> Any:
    account = {
        "baseUrl": sandbox.base_url,
        "company": sandbox.company,
        "public.key": sandbox.public_key,
        "private.key": sandbox.private_key,
    }
    return InstanceFactory(user=owner, sent=account | sent)


@pytest.fixture
def instance(sandbox, owner):
    return instance_at(sandbox, owner)


@pytest.fixture
def hub_api(api, instance):
    """The hub API of the owner's instance, as the owner calls it."""
    return api.through(instance)


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [record["id"] for record in answer.json()]


# Lists


def test_list_is_what_the_provider_has(hub_api, instance, sandbox):
    answer = hub_api.get(RECORDS)

    assert answer.json() == nulls.without_nulls([sandbox.contacts.get(number) for number in sandbox.contacts.ids()])
    assert answer["Content-Type"] == "application/json"
    assert answer["Elements-Element-Instance-Id"] == str(instance.pk)
    assert answer["Elements-Returned-Count"] == "23"
    assert len(answer["Elements-Request-Id"]) == 24
    for header in ("Elements-Next-Page-Token", "Elements-Total-Count", "Elements-Error", "X-Frame-Options"):
        assert header not in answer


def test_name_of_the_hub_is_decoration(hub_api):
    answers = [
        hub_api.get(path).content
        for path in (
            RECORDS,
            "/hubs/documents/contacts",
            "/hubs/crap/contacts",
            "/contacts",
            "/contacts/",
            "//contacts",
        )
    ]

    assert len(set(answers)) == 1


def test_empty_list_is_200(hub_api):
    answer = hub_api.get(RECORDS, where="id = 999999")

    assert (answer.status_code, answer.content, answer["Elements-Returned-Count"]) == (200, b"[]", "0")


def test_two_pages_are_one_of_twice_the_size(hub_api):
    first, second, both = (hub_api.get(RECORDS, page=p, pageSize=s).json() for p, s in ((1, 5), (2, 5), (1, 10)))

    assert first + second == both


def test_tokens_lead_through_every_record_once(hub_api, sandbox):
    found, parameters = [], {"pageSize": "1", "nextPage": "null"}
    while True:
        answer = hub_api.get(RECORDS, **parameters)
        found += ids(answer)
        if "Elements-Next-Page-Token" not in answer:
            break
        parameters = {"pageSize": "1", "nextPage": answer["Elements-Next-Page-Token"], "page": "2"}

    assert found == sandbox.contacts.ids()


def test_large_page_is_clipped_with_a_warning(hub_api, sandbox):
    answer = hub_api.get(RECORDS, pageSize=1001)

    assert len(ids(answer)) == 23
    assert answer["Elements-Error"] == "pageSize was clipped to 1000"
    assert sandbox.requests[-1].query["pagesize"] == "1000"


def test_unknown_parameter_is_told(hub_api):
    assert "1 parameter(s) were passed over" in hub_api.get(RECORDS, were="id=1")["Elements-Error"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"pageSize": "0"},
        {"pageSize": "-1"},
        {"pageSize": "ten"},
        {"pageSize": "1.5"},
        {"page": "0"},
        {"page": "two"},
        {"page": "٣"},
        {"nextPage": "garbage"},
        {"orderBy": "id sideways"},
        {"fields": "a b"},
    ],
)
def test_bad_parameters_are_400_and_cost_no_call(hub_api, sandbox, parameters):
    answer = hub_api.get(RECORDS, **parameters)

    assert answer.status_code == 400
    assert answer.json()["message"]
    assert answer.json()["requestId"] == answer["Elements-Request-Id"]
    assert sandbox.requests == []


def test_total_is_counted_when_asked_for(hub_api):
    answer = hub_api.get(RECORDS, where="id > 0", pageSize=2, returnCount="true")

    assert (answer["Elements-Returned-Count"], answer["Elements-Total-Count"]) == ("2", "23")


def test_order_and_fields(hub_api, sandbox):
    answer = hub_api.get(RECORDS, orderBy="id desc", fields="id,company.name", pageSize=3)

    assert ids(answer) == sandbox.contacts.ids()[:-4:-1]
    assert all(set(record) <= {"id", "company"} for record in answer.json())


def test_nulls_go_or_stay_as_the_instance_says(api, owner, sandbox):
    sandbox.behave(path="/company/contacts", status=200, body='[{"id": 1, "title": null}]', times=2)
    filtering, plain = instance_at(sandbox, owner), instance_at(sandbox, owner, **{"filter.response.nulls": "false"})

    assert api.through(filtering).get("/contacts").json() == [{"id": 1}]
    assert api.through(plain).get("/contacts").content == b'[{"id": 1, "title": null}]'


def test_bytes_of_the_provider_pass_untouched(hub_api, sandbox):
    body = '[ {"id":1,"amount":1.10,"name":"Zoë \\u0041"} ]'.encode()
    sandbox.behave(path="/company/contacts", status=200, body=body)

    assert hub_api.get(RECORDS).content == body


# Where


@pytest.mark.parametrize(
    "query",
    [
        "where=id>'3' AND id<'8'",
        "where=id%3E%273%27%20AND%20id%3C%278%27",
        "where=id%3E'3'+and+id<8",
    ],
)
def test_where_is_taken_raw_and_encoded(instance, api, sandbox, query):
    response = Client().generic(
        "GET", f"{BASE}{RECORDS}", QUERY_STRING=query, headers={"Authorization": api.through(instance).authorization}
    )

    assert ids(response) == [number for number in sandbox.contacts.ids() if 3 < number < 8]


def test_raw_plus_of_an_offset_is_no_blank(instance, api, sandbox):
    moment = (sandbox.clock.now() + timedelta(hours=1)).replace(microsecond=0)
    edited = sandbox.contacts.ids()[3]
    sandbox.contacts.edit(edited, at=moment, title="CFO")
    elsewhere = (moment + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%dT%H:%M:%S")

    response = Client().generic(
        "GET",
        f"{BASE}{RECORDS}",
        QUERY_STRING=f"where=lastUpdated>='{elsewhere}+05:30'",
        headers={"Authorization": api.through(instance).authorization},
    )

    assert ids(response) == [edited]


def test_query_that_is_no_utf_8_is_400(instance, api):
    response = Client().generic(
        "GET",
        f"{BASE}{RECORDS}",
        QUERY_STRING="where=firstName='\xff'",
        headers={"Authorization": api.through(instance).authorization},
    )

    assert response.status_code == 400


def test_values_keep_their_type_however_they_were_quoted(hub_api, sandbox):
    ticket = sandbox.tickets.get(sandbox.tickets.ids()[2])

    (found,) = hub_api.get("/hubs/crm/incidents", where=f"id='{ticket['id']}'").json()

    assert found == nulls.without_nulls(ticket)
    assert type(found["id"]) is int
    assert all(record["approved"] is False for record in hub_api.get("/incidents", where="approved='false'").json())
    assert hub_api.get("/incidents", where="contactPhoneNumber='undefined'").json() == []


def test_where_that_does_not_parse_is_400(hub_api, sandbox):
    answer = hub_api.get(RECORDS, where="id ==")

    assert answer.status_code == 400
    assert "Error parsing query" in answer.json()["message"]
    assert sandbox.requests == []


def test_unknown_field_is_400_in_the_providers_words(hub_api):
    answer = hub_api.get(RECORDS, where="shoeSize='XL'")

    assert answer.status_code == 400
    assert "shoeSize" in answer.json()["providerMessage"]


# One record


def test_one_record(hub_api, instance, sandbox):
    number = sandbox.contacts.ids()[6]

    for path in (f"/contacts/{number}", f"{RECORDS}/{number}"):
        answer = hub_api.get(path)
        assert (answer.status_code, answer.json()) == (200, nulls.without_nulls(sandbox.contacts.get(number)))
        assert answer["Elements-Element-Instance-Id"] == str(instance.pk)


@pytest.mark.parametrize("number", ["999999", "0", "-1", "seven", "%2e%2e", "7%2Fnotes", "1e3"])
def test_record_that_is_not_there_is_404(hub_api, number):
    answer = hub_api.get(f"/contacts/{number}")

    assert answer.status_code == 404
    assert answer.json()["message"]


# Who may ask


PATHS = [
    "/contacts",
    RECORDS,
    "/hubs/crm/contacts/1",
    "/objects",
    "/ping",
    "/nonsense",
    "/hubs/crm/nonsense",
    "/a/b/c/d",
    "/x%0Ay",
    "/",
]


@pytest.mark.parametrize("path", PATHS)
def test_credentials_are_asked_for_before_the_path(db, path):
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        answer = Api(None).call(method, path)
        assert answer.status_code == 401, method
        assert answer.json()["message"]


@pytest.mark.parametrize("path", PATHS)
def test_wrong_credentials_are_401_everywhere(api, instance, path):
    user, organization = api.authorization.split(", ")
    token = f"Element {token_of(instance)}"

    for header in (
        f"{user}, {organization}",
        user,
        f"{user}, Element {'x' * 44}",
        f"User wrong, {token}",
        token,
        "Bearer x",
    ):
        assert api.call("GET", path, authorization=header).status_code == 401, header


def test_user_and_element_are_enough(api, instance):
    user = api.authorization.split(", ")[0]

    assert api.call("GET", RECORDS, authorization=f"Element {token_of(instance)}, {user}").status_code == 200


def test_token_of_another_organization_is_401(stranger, instance):
    assert Api(stranger).through(instance).get(RECORDS).status_code == 401


def test_colleague_may_ask_through_the_same_token(colleague, instance):
    assert Api(colleague).through(instance).get(RECORDS).status_code == 200


def test_token_of_a_deleted_instance_is_401(api, instance):
    through = api.through(instance)
    instance.delete()

    assert through.get(RECORDS).status_code == 401


def test_disabled_instance_is_403_except_for_its_objects(hub_api, instance, sandbox):
    Instance.objects.update(is_disabled=True)

    for path in (RECORDS, "/contacts/1", "/ping", "/nonsense"):
        assert hub_api.get(path).status_code == 403, path
    assert hub_api.post("/contacts", {}).status_code == 403
    assert hub_api.get("/objects").status_code == 200
    assert hub_api.get("/hubs/crm/objects").status_code == 200
    assert sandbox.requests == []


# What there is


@pytest.mark.parametrize(
    "path",
    [
        "/leads",
        "/hubs/crm/leads",
        "/bulk/x",
        "/hubs/crm/ping/1",
        "/hubs/crm/objects/x",
        "/a/../b",
        "/a/b/c/d/e/f/g",
        "/",
    ],
)
def test_unknown_path_is_404_by_every_verb(hub_api, sandbox, path):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = hub_api.call(method, path)
        assert answer.status_code == 404, method
        assert "There is no /" in answer.json()["message"]
    assert sandbox.requests == []


@pytest.mark.parametrize("path", ["/objects", "/ping", "/hubs/crm/objects", "/ping/"])
def test_verb_that_a_resource_has_not_is_405(hub_api, instance, sandbox, path):
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = hub_api.call(method, path, {} if method == "POST" else None)
        assert answer.status_code == 405
        assert answer["Allow"] == "GET, HEAD"
        assert answer["Elements-Element-Instance-Id"] == str(instance.pk)
        assert answer.json()["message"].startswith(f"{method} is not supported here; GET")
    assert sandbox.requests == []


def test_objects_are_the_names_of_the_resources(hub_api):
    for path in ("/objects", "/hubs/crm/objects", "/hubs/other/objects"):
        names = hub_api.get(path).json()
        assert {"contacts", "incidents", "organizations", "boards"} <= set(names)
        assert "comments" not in names
        assert names == sorted(names)


def test_objects_in_detail_for_newer_clients(api, instance):
    answer = Client().get(
        f"{BASE}/objects",
        headers={"Authorization": api.through(instance).authorization, "Elements-Version": "Helium"},
    )

    assert {"name": "contacts", "vendorName": "company/contacts", "type": "ceCanonical"} in answer.json()
    assert {"name": "boards", "vendorName": "service/boards", "type": "vendor"} in answer.json()
    assert [one["name"] for one in answer.json()] == api.through(instance).get("/objects").json()


def test_ping_asks_the_provider(hub_api, sandbox):
    sandbox.clock.freeze()
    for path in ("/ping", "/hubs/crm/ping"):
        assert hub_api.get(path).json() == {
            "endpoint": "connectwisecrmrest",
            "valid": True,
            "dateTime": sandbox.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    assert [request.endpoint for request in sandbox.requests] == ["/system/info"] * 2


# When the provider fails


@pytest.mark.parametrize(
    ("status", "expected"), [(400, 400), (401, 400), (403, 403), (404, 404), (429, 429), (500, 502), (503, 502)]
)
@pytest.mark.parametrize("path", [RECORDS, "/contacts/1"])
def test_failures_of_the_provider_have_a_status_and_its_words(hub_api, sandbox, path, status, expected):
    sandbox.behave(path="/company/contacts", status=status, body={"code": "X", "message": "The provider says so."})

    answer = hub_api.get(path)

    assert answer.status_code == expected
    assert answer.json()["providerMessage"] == "The provider says so."
    assert answer.json()["requestId"] == answer["Elements-Request-Id"]


def test_refused_keys_are_no_401_of_ours(api, owner, sandbox):
    through = api.through(instance_at(sandbox, owner, **{"private.key": "canary-wrong-key"}))

    for path in (RECORDS, "/ping"):
        answer = through.get(path)
        assert answer.status_code == 400
        assert "private.key" in answer.json()["message"]
        assert b"canary" not in answer.content


def test_throttling_is_passed_on_with_its_time(hub_api, sandbox):
    sandbox.behave(status=429, headers={"Retry-After": "7"})

    answer = hub_api.get(RECORDS)

    assert (answer.status_code, answer["Retry-After"]) == (429, "7")


@pytest.mark.parametrize("spoil", [{"status": 200, "body": "<html>"}, {"cut_after": 100}, {"drop": True}])
def test_half_an_answer_is_none(hub_api, sandbox, spoil):
    sandbox.behave(path="/company/contacts", times=None, **spoil)

    assert hub_api.get(RECORDS).status_code == 502


def test_accept_that_cannot_be_met_is_406(api, instance):
    answer = Client().get(
        f"{BASE}{RECORDS}",
        headers={"Authorization": api.through(instance).authorization, "Accept": "text/csv"},
    )

    assert answer.status_code == 406


def test_head_is_a_get_without_a_body(hub_api):
    answer = hub_api.call("HEAD", RECORDS)

    assert (answer.status_code, answer.content, answer["Elements-Returned-Count"]) == (200, b"", "23")
