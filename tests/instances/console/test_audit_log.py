"""Who did what, as owners read it; nobody changes it."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from instances import audit
from instances.models import AuditEntry
from tests.factories import InstanceFactory

LOG = "/console/instances/auditentry/"


@pytest.fixture
def instance(owner):
    return InstanceFactory.create(user=owner, name="Acme")


@pytest.fixture
def entries(owner, colleague, instance):
    for who, action, through, at in [
        (owner, "switched events on", audit.CONSOLE, instance),
        (colleague, "looked at the token", audit.CONSOLE, instance),
        (colleague, "changed the settings", audit.API, None),
    ]:
        audit.note(
            who=who,
            action=action,
            through=through,
            organization_id=owner.organization_id,
            instance=at,
            detail="<b>x</b>",
        )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {"switched events on", "looked at the token", "changed the settings"}),
        ({"kind": "looked"}, {"looked at the token"}),
        (
            {"kind": "nonsense", "through": "nonsense"},
            {"switched events on", "looked at the token", "changed the settings"},
        ),
        ({"through": "api"}, {"changed the settings"}),
        ({"q": "colleague@"}, {"looked at the token", "changed the settings"}),
        ({"q": "acme"}, {"switched events on", "looked at the token"}),
        (
            {"happened_at__gte": "2020-01-01 00:00:00+00:00"},
            {"switched events on", "looked at the token", "changed the settings"},
        ),
        ({"happened_at__lt": "2020-01-01 00:00:00+00:00"}, set()),
    ],
)
def test_owners_find_who_did_what(console, entries, asked, found):
    page = console.get(LOG, asked)

    assert page.status_code == 200
    assert {entry.action for entry in page.context["cl"].result_list} == found
    assert "<b>x</b>" not in page.content.decode()


def test_it_is_a_tab_of_the_instance_that_outlives_it(console, entries, instance):
    page = console.get(LOG, {"instance_id": instance.pk})
    assert {entry.action for entry in page.context["cl"].result_list} == {"switched events on", "looked at the token"}
    assert 'aria-current="page">Audit' in page.content.decode()

    instance.delete()
    page = console.get(LOG, {"q": "acme"})
    assert "Acme" in page.content.decode()
    assert len(page.context["cl"].result_list) == 2


def test_others_do_not_read_it(viewer, strange, entries, instance):
    assert viewer.get(LOG).status_code == 403
    assert ">Audit<" not in viewer.get(f"/console/instances/instance/{instance.pk}/change/").content.decode()
    assert "switched events" not in strange.get(LOG).content.decode()
    assert strange.get(LOG, {"instance_id": instance.pk}).status_code == 404


def test_nobody_changes_or_deletes_it(console, entries):
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert console.post(f"{LOG}{entry.pk}/change/", {"action": "nothing"}).status_code == 403
    assert console.post(f"{LOG}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    for statement in (
        "UPDATE instances_auditentry SET who = 'nobody'",
        "DELETE FROM instances_auditentry",
    ):
        with pytest.raises(DatabaseError, match="neither changed nor deleted"), transaction.atomic():
            connection.cursor().execute(statement)
    assert AuditEntry.objects.count() == 3


def test_long_logs_cost_as_many_queries_as_short_ones(console, entries, owner, django_assert_max_num_queries):
    for number in range(60):
        audit.note(who=owner, action=f"did {number}", through=audit.API, organization_id=owner.organization_id)

    with django_assert_max_num_queries(10):
        assert console.get(LOG).status_code == 200
