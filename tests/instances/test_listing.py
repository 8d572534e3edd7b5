"""GET /instances: filters, pages, and the 404 of an empty list."""

from __future__ import annotations

import pytest

from instances.models import Instance
from tests.api_client import Api
from tests.factories import InstanceFactory, token_of


def ids(answer) -> list[int]:
    assert answer.status_code == 200, answer.json()
    return [one["id"] for one in answer.json()]


@pytest.fixture
def three(owner) -> list[Instance]:
    return [
        InstanceFactory.create(user=owner, name="churros-instance", tags=["churros-instance"]),
        InstanceFactory.create(user=owner, name="Acme desk", tags=["acme", "desk"]),
        InstanceFactory.create(user=owner, name="Other 100%", tags=["desk"]),
    ]


def test_list_without_instances_is_404_with_the_error_body(api):
    answer = api.get("/instances")

    assert answer.status_code == 404
    assert answer.json()["requestId"] == answer["Elements-Request-Id"]
    assert answer.json()["message"]


def test_nothing_that_matches_is_404(api, three):
    assert api.get("/instances", searchText="nonsense").status_code == 404
    assert api.call("GET", "/instances", **{"tags[]": "nonsense"}).status_code == 404


def test_empty_list_of_an_element_is_no_error(api):
    assert ids(api.get("/elements/connectwisecrmrest/instances")) == []
    assert api.get("/elements/nothing/instances").status_code == 404


def test_list_items_are_whole_instances(api, three):
    for one in api.get("/instances").json():
        assert one == api.get(f"/instances/{one['id']}").json()


def test_colleagues_see_the_same_and_strangers_nothing(three, colleague, stranger):
    assert ids(Api(colleague).get("/instances")) == [one.pk for one in three]
    assert Api(stranger).get("/instances").status_code == 404


def test_element_credential_does_not_narrow_the_list(api, three):
    assert len(ids(api.through(three[0]).get("/instances"))) == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"tags[]": "desk"}, [1, 2]),
        ({"tags": "acme"}, [1]),
        ({"tags[]": ["acme", "churros-instance"]}, [0, 1]),
        ({"searchText": "CHURROS"}, [0]),
        ({"searchText": "100%"}, [2]),
        ({"searchText": "connectwise"}, [0, 1, 2]),
        ({"searchText": "e", "tags[]": "desk"}, [1, 2]),
        ({"searchText": "Acme", "tags[]": "desk"}, [1]),
    ],
)
def test_filters_narrow_the_list(api, three, query, found):
    assert ids(api.call("GET", "/instances", **query)) == [three[number].pk for number in found]


def test_part_of_a_tag_is_no_tag(api, three):
    assert api.call("GET", "/instances", **{"tags[]": "des"}).status_code == 404


def test_short_form_carries_what_clients_look_for(api, three):
    short = api.get("/instances", hydrate="false").json()

    assert [one["token"] for one in short] == [token_of(one) for one in three]
    assert all(one["element"]["id"] == 3012 and one["element"]["key"] == "connectwisecrmrest" for one in short)
    assert all("configuration" not in one for one in short)


def test_pages_follow_each_other_by_token_and_by_number(api, three):
    first = api.get("/instances", pageSize=2)
    assert first["Elements-Returned-Count"] == "2"
    assert first["Elements-Total-Count"] == "3"

    last = api.get("/instances", pageSize=2, page=2, nextPage=first["Elements-Next-Page-Token"])
    assert "Elements-Next-Page-Token" not in last
    assert ids(first) + ids(last) == [one.pk for one in three]
    assert ids(api.get("/instances", pageSize=2, page=2)) == ids(last)


def test_walk_by_token_sees_every_instance_once_while_others_go(api, three):
    seen, token = [], "null"
    while token:
        answer = api.get("/instances", pageSize=1, nextPage=token)
        seen += ids(answer)
        token = answer.headers.get("Elements-Next-Page-Token", "")
        if len(seen) == 1:
            three[0].delete()

    assert seen == sorted(seen)
    assert len(seen) == 3


def test_page_behind_the_last_one_is_empty(api, three):
    assert ids(api.get("/instances", page=9)) == []
    assert ids(api.get("/instances", page=10**18, pageSize=1000)) == []


def test_too_large_pages_are_clipped_and_said_so(api, three):
    answer = api.get("/instances", pageSize=5000)

    assert len(ids(answer)) == 3
    assert "1000" in answer["Elements-Error"]


@pytest.mark.parametrize(
    "query",
    [
        {"pageSize": "0"},
        {"pageSize": "-1"},
        {"pageSize": "x"},
        {"page": "0"},
        {"page": "٣"},
        {"nextPage": "made-up"},
        {"nextPage": "🙂"},
        {"searchText": "\x00"},
    ],
    ids=str,
)
def test_query_that_makes_no_sense_is_400(api, three, query):
    answer = api.get("/instances", **query)

    assert answer.status_code == 400
    assert answer.json()["message"]


def test_count_is_by_element(api, three):
    assert api.get("/instances/count").json() == {
        "totalInstances": 3,
        "elementInstances": [
            {"element": {"id": 3012, "key": "connectwisecrmrest", "name": "ConnectWise REST"}, "instances": 3}
        ],
    }


@pytest.mark.parametrize("instance_id", ["0", "-1", "x", "99999999999999999999", "1.5", "%00", "²"])
def test_id_that_nothing_has_is_404(api, three, instance_id):
    for path in ("", "/enabled", "/configuration"):
        answer = api.call("PUT" if path == "/enabled" else "GET", f"/instances/{instance_id}{path}")
        assert answer.status_code == 404, path
        assert answer.json()["message"]


def test_instance_is_found_under_its_own_element_only(api, three):
    assert api.get(f"/elements/3012/instances/{three[0].pk}").json()["id"] == three[0].pk
    assert api.get(f"/elements/nothing/instances/{three[0].pk}").status_code == 404
    answer = api.put(f"/elements/connectwisecrmrest/instances/{three[0].pk}", {"name": "New"})
    assert answer.json()["name"] == "New"
    assert api.delete(f"/elements/3012/instances/{three[0].pk}").status_code == 200
    assert api.get(f"/instances/{three[0].pk}").status_code == 404


def test_verbs_that_a_path_has_not_are_405(api, three):
    answer = api.post(f"/instances/{three[0].pk}", {})

    assert answer.status_code == 405
    assert set(answer.json()) == {"requestId", "message"}
    assert api.through(three[0]).put("/elements/connectwisecrmrest/instances", {}).status_code == 405
