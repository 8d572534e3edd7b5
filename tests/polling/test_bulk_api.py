"""Bulk downloads over HTTP."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote

import pytest

from connectors.sandbox import Sandbox
from instances.models import User
from polling.models import BulkPage, BulkQuery
from tests.api_client import Api
from tests.polling.bulk_driving import asked, instance_at, turn

pytestmark = pytest.mark.django_db

JSON, CSV = "application/json", "text/csv"
ALL = "select * from contacts"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox.start(contacts=7, companies=2, tickets=1) as running:
        yield running


@pytest.fixture
def instance(owner, sandbox):
    return instance_at(sandbox, user=owner)


@pytest.fixture
def caller(api, instance):
    return api.through(instance)


@pytest.fixture
def done(instance):
    return turn(asked(instance, ALL), page_size=3)


def started(caller, text: str = ALL, prefix: str = "") -> int:
    answer = caller.post(f"{prefix}/bulk/query?q={quote(text)}")
    assert answer.status_code == 200, answer.content
    assert answer.json()["status"] == "CREATED"
    return answer.json()["id"]  # type: ignore[no-any-return]


def result(caller, query, accept: str = JSON, name: str = "contacts"):
    return caller._client.get(
        f"/elements/api-v2/bulk/{query.pk}/{name}",
        headers={"Authorization": caller.authorization, "Accept": accept},
    )


@pytest.mark.parametrize("prefix", ["", "/hubs/crm", "/hubs/anything"])
def test_a_query_is_started_read_and_answered(caller, prefix):
    number = started(caller, "select * from contacts where id > 2", prefix)
    query = BulkQuery.objects.get(pk=number)
    waiting = caller.get(f"{prefix}/bulk/{number}/contacts")
    assert (waiting.status_code, waiting.json().keys()) == (409, {"requestId", "message"})

    turn(query)
    status = caller.get(f"{prefix}/bulk/{number}/status")
    assert status.headers["Elements-Element-Instance-Id"] == str(query.instance_id)
    said = status.json()
    assert (said["id"], said["status"], said["recordsCount"], said["recordsFailedCount"]) == (number, "COMPLETED", 5, 0)
    listed = caller.get("/contacts", where="id > 2")
    answer = result(caller, query)
    assert answer.headers["Content-Type"] == JSON
    assert answer.getvalue() == listed.content
    assert answer.headers["Content-Length"] == str(len(listed.content))
    assert caller.get(f"{prefix}/bulk/{number}/errors").json() == []


def test_the_query_may_come_in_the_body_or_raw_in_the_path(caller):
    assert caller.post("/bulk/query", {"q": ALL}).status_code == 200
    raw = caller.post("/bulk/query?q=select+*+from+contacts where lastUpdated>'2020-01-01T00:00:00+02:00'")
    assert raw.status_code == 200
    assert BulkQuery.objects.get(pk=raw.json()["id"]).where == "lastUpdated>'2020-01-01T00:00:00+02:00'"


def test_a_result_as_csv(caller, done):
    answer = result(caller, done, CSV)
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))

    listed = caller.get("/contacts").json()
    assert [row["id"] for row in rows] == [str(one["id"]) for one in listed]
    assert [row["company.name"] for row in rows] == [one["company"]["name"] for one in listed]
    assert result(caller, done, CSV).getvalue() == result(caller, done, CSV).getvalue()


def test_selected_fields_lead_the_table(caller, instance):
    query = turn(asked(instance, "select lastName, company.name from contacts"))

    assert result(caller, query, CSV).getvalue().startswith(b"lastName,company.name")


@pytest.mark.parametrize(
    ("accept", "status", "type_"),
    [("*/*", 200, JSON), ("text/csv, */*", 200, "text/csv"), ("image/png", 406, JSON)],
)
def test_accept_decides_the_form(caller, done, accept, status, type_):
    answer = result(caller, done, accept)

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(type_)


def test_errors_are_json_whatever_was_accepted(caller, done):
    answer = result(caller, done, CSV, name="organizations")

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, JSON)
    assert answer.json()["message"] == f"Bulk query {done.pk} reads contacts, not organizations"


def test_records_with_too_many_columns_come_as_json_only(caller, done):
    BulkQuery.objects.update(columns=None)

    assert result(caller, done, CSV).status_code == 409
    assert result(caller, done).status_code == 200


def test_a_result_that_is_deleted_while_it_is_read_breaks_off(caller, done):
    answer = result(caller, done)
    BulkPage.objects.filter(number__gt=1).delete()
    with pytest.raises(BulkPage.DoesNotExist):
        answer.getvalue()


def test_cancelling(caller, done):
    number = started(caller)

    assert caller.put(f"/bulk/{number}/cancel").json()["status"] == "CANCELLED"
    assert caller.put(f"/bulk/{number}/cancel").status_code == 200
    assert caller.get(f"/bulk/{number}/contacts").status_code == 409
    assert caller.put(f"/bulk/{done.pk}/cancel").status_code == 409


def test_why_it_failed(caller, instance):
    query = turn(asked(instance, "select * from contacts where nonsense = 1"))

    assert caller.get(f"/bulk/{query.pk}/status").json()["status"] == "FAILED"
    assert "nonsense" in caller.get(f"/bulk/{query.pk}/errors").json()[0]["message"]


def test_the_bulk_queries_of_an_instance_newest_first(caller, done):
    number = started(caller)
    first = caller.get("/bulk/jobs", pageSize=1)

    assert [one["id"] for one in first.json()] == [number]
    rest = caller.get("/bulk/jobs", pageSize=1, nextPage=first.headers["Elements-Next-Page-Token"])
    assert [one["id"] for one in rest.json()] == [done.pk]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("select", 400),
        ("select * from contacts where", 400),
        ("select * from contacts where a = 'b\x00'", 400),
        ("select * from nothing", 404),
        ("select * from contacts/1", 404),
        ("select * from incidents/1/members", 405),
    ],
)
def test_what_cannot_be_asked_for(caller, text, status):
    answer = caller.post(f"/bulk/query?q={quote(text)}")

    assert (answer.status_code, answer.json().keys()) == (status, {"requestId", "message"})


@pytest.mark.parametrize("body", [[], {"q": 5}, {"q": None}, {}])
def test_bodies_without_a_query(caller, body):
    assert caller.post("/bulk/query", body).status_code == 400


def test_a_percent_sign_that_hides_no_text_is_refused(caller):
    assert caller.post("/bulk/query?q=%ff").status_code == 400


@pytest.mark.parametrize("url", ["http://169.254.1.1/", "ftp://example.com/", "nonsense"])
def test_a_callback_url_that_may_not_be_called_is_refused_by_its_name(caller, url):
    answer = caller._client.post(
        f"/elements/api-v2/bulk/query?q={quote(ALL)}",
        content_type=JSON,
        headers={"Authorization": caller.authorization, "Elements-Async-Callback-Url": url},
    )
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Elements-Async-Callback-Url: ")
    assert not BulkQuery.objects.exists()


PATHS = ["status", "errors", "contacts"]


@pytest.mark.parametrize("path", PATHS)
def test_bulk_queries_of_another_instance_are_not_there(api, stranger, sandbox, done, path):
    for other in (
        api.through(instance_at(sandbox, user=done.instance.user)),
        Api(stranger).through(instance_at(sandbox, user=stranger)),
    ):
        for number in (done.pk, 0, -1, "x", 10**30):
            assert other.get(f"/bulk/{number}/{path}").status_code == 404
        assert other.put(f"/bulk/{done.pk}/cancel").status_code == 404
        assert other.get("/bulk/jobs").json() == []


def test_credentials_come_first_then_whether_the_instance_is_disabled(api, caller, instance, done):
    assert api.get(f"/bulk/{done.pk}/status").status_code == 401  # without a token
    assert api.post("/bulk/query").status_code == 401
    instance.is_disabled = True
    instance.save()
    assert caller.get("/bulk/0/status").status_code == 403
    assert caller.post("/bulk/query").status_code == 403


def test_viewers_see_how_far_it_is_and_nothing_more(api, caller, colleague, instance, done):
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)
    viewer = Api(colleague).through(instance)

    assert viewer.get(f"/bulk/{done.pk}/status").status_code == 200
    assert viewer.get("/bulk/jobs").status_code == 200
    for answer in (
        viewer.get(f"/bulk/{done.pk}/contacts"),
        viewer.put(f"/bulk/{done.pk}/cancel"),
        viewer.post(f"/bulk/query?q={quote(ALL)}"),
    ):
        assert answer.status_code == 403
