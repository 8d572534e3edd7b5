from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from instances.models import ApiCall
from instances.usage import RECORDER
from tests.api_client import Api
from tests.factories import InstanceFactory
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recording(owner) -> Iterator[None]:
    """As where the API is served: calls are written by a thread."""
    RECORDER.start()
    yield
    RECORDER.stop()


def test_call_is_found_under_the_id_that_its_answer_carries(api, owner, recording):
    instance = InstanceFactory.create(user=owner)
    answers = [
        api.get("/instances", tags="secret-in-the-query"),
        api.post("/instances", {}),
        api.through(instance).get("/hubs/crm/objects"),
        api.through(instance).get("/hubs/crm/nothing"),
    ]

    found = [until(partial(usage_of, api, one)) for one in answers]

    assert [(one["method"], one["path"], one["status"]) for one in found] == [
        ("GET", "/elements/api-v2/instances", 404),
        ("POST", "/elements/api-v2/instances", 400),
        ("GET", "/elements/api-v2/hubs/crm/objects", 200),
        ("GET", "/elements/api-v2/hubs/crm/nothing", 404),
    ]
    assert [one["elementInstanceId"] for one in found] == [None, None, instance.pk, instance.pk]
    assert {one["userId"] for one in found} == {owner.pk}
    assert "secret-in-the-query" not in str(list(ApiCall.objects.values()))


def test_who_proves_nothing_leaves_no_trace(api, owner, recording):
    Api(None).get("/instances")
    api.get("/hubs/crm/contacts")
    api.call("GET", "/instances", authorization="User nobody, Organization nothing")
    known = api.get("/instances")

    until(lambda: usage_of(api, known))

    kept = set(ApiCall.objects.values_list("path", flat=True)) - {"/elements/api-v2/usage"}
    assert {path for path in kept if "/usage/" not in path} == {"/elements/api-v2/instances"}
    assert ApiCall.objects.filter(path="/elements/api-v2/instances").count() == 1


def usage_of(api, answer):
    found = api.get(f"/usage/{answer.headers['Elements-Request-Id']}")
    return found.json() if found.status_code == 200 else None


def test_nothing_is_recorded_in_a_process_that_serves_nobody(api):
    assert api.get("/instances").status_code == 404
    assert not RECORDER.is_running
