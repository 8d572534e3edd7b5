from __future__ import annotations

import csv
import io
import json

import pytest

from connectors.sandbox import Sandbox
from instances.models import AuditEntry, User
from polling.models import BulkQuery
from tests.factories import InstanceFactory, UserFactory
from tests.polling.bulk_driving import asked, instance_at, turn

pytestmark = pytest.mark.django_db

PAGE = "/console/polling/bulkquery/"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox.start(contacts=12, companies=2, tickets=1) as running:
        yield running


@pytest.fixture
def begun(owner, sandbox) -> BulkQuery:
    """Two of its three pages are read."""
    query = asked(instance_at(sandbox, user=owner), "select id, firstName from contacts where id > 0")
    return turn(query, pages=2)


@pytest.fixture
def viewer(owner) -> User:
    return UserFactory.create(organization=owner.organization, role=User.VIEWER)


def test_progress_is_shown_until_it_can_be_downloaded(client, owner, begun):
    client.force_login(owner)
    page = client.get(f"{PAGE}{begun.pk}/change/").content.decode()

    for shown in (
        '<progress class="console-progress" aria-label="Records read" value="10" max="12">',
        "10 of 12 records",
    ):
        assert shown in page
    assert "10 of 12" in client.get(PAGE).content.decode()
    assert client.get(f"{PAGE}{begun.pk}/download/").status_code == 404
    turn(begun)
    live = client.get(f"{PAGE}{begun.pk}/change/", headers={"HX-Request": "true"}).content.decode()
    assert "Download CSV" in live
    assert "hx-trigger" not in live


def test_the_records_are_a_file_and_each_download_is_noted(client, owner, begun):
    turn(begun)
    client.force_login(owner)
    as_json = client.get(f"{PAGE}{begun.pk}/download/")
    as_csv = client.get(f"{PAGE}{begun.pk}/download/?format=csv")

    records = json.loads(as_json.getvalue())
    assert len(records) == 12
    rows = list(csv.DictReader(io.StringIO(as_csv.getvalue().decode())))
    assert [row["id"] for row in rows] == [str(record["id"]) for record in records]
    for answer, ending in ((as_json, "json"), (as_csv, "csv")):
        assert answer["Content-Disposition"] == f'attachment; filename="contacts-{begun.pk}.{ending}"'
        assert answer["X-Content-Type-Options"] == "nosniff"
    assert [entry.detail for entry in AuditEntry.objects.order_by("pk")] == ["JSON", "CSV"]


def test_it_is_cancelled_once(client, owner, begun):
    client.force_login(owner)
    url = f"{PAGE}{begun.pk}/cancel/"

    assert "It is cancelled" in client.post(url, follow=True).content.decode()
    assert BulkQuery.objects.get().state == BulkQuery.CANCELLED
    BulkQuery.objects.update(state=BulkQuery.COMPLETED)
    assert "cannot be cancelled any more" in client.post(url, follow=True).content.decode()
    assert AuditEntry.objects.get().action == "cancelled a bulk download"


def test_a_viewer_sees_how_far_it_is_and_nothing_of_what_it_holds(client, viewer, stranger, begun):
    turn(begun)
    client.force_login(viewer)
    page = client.get(f"{PAGE}{begun.pk}/change/").content.decode()

    assert "12 records" in page
    for hidden in ("Download JSON", "firstName", "id &gt; 0"):
        assert hidden not in page
    for user, status in ((viewer, 403), (stranger, 404)):
        client.force_login(user)
        assert client.get(f"{PAGE}{begun.pk}/download/").status_code == status
        assert client.post(f"{PAGE}{begun.pk}/cancel/").status_code == status
    assert client.get(f"{PAGE}{begun.pk}/change/").status_code == 404
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("count", [3, 30])
def test_the_list_costs_the_same_for_few_and_many(client, owner, django_assert_max_num_queries, count):
    instance = InstanceFactory.create(user=owner)
    BulkQuery.objects.bulk_create([BulkQuery(instance=instance, collection="contacts") for _ in range(count)])
    client.force_login(owner)
    with django_assert_max_num_queries(12):
        client.get(f"{PAGE}?instance={instance.pk}")
