"""People of an organization, as owners, operators, viewers and superusers see them."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.test import Client

from instances.models import AuditEntry, User
from tests.api_client import Api
from tests.factories import PASSWORD, UserFactory

PEOPLE = "/console/instances/user/"
NEW = {
    "email": "Eve@Example.com",
    "first_name": "Eve",
    "last_name": "",
    "role": "operator",
    "password": "a good password",
}


def person_page(user: User) -> str:
    return f"{PEOPLE}{user.pk}/change/"


def notes() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("who", "action", "subject"))


def test_somebody_who_is_invited_signs_in_and_calls_the_api(console, owner):
    assert "Invite a person" in console.get(PEOPLE).content.decode()
    assert "Initial password" in console.get(f"{PEOPLE}add/").content.decode()

    assert console.post(f"{PEOPLE}add/", NEW).status_code == 302

    eve = User.objects.get(email="eve@example.com")
    assert (eve.organization_id, eve.role, eve.is_staff, eve.is_superuser) == (
        owner.organization_id,
        "operator",
        True,
        False,
    )
    assert Api(eve).get("/instances/count").status_code == 200
    anybody = Client()
    anybody.post("/console/login/", {"username": "eve@example.com", "password": NEW["password"]})
    assert anybody.get("/console/").status_code == 200
    assert (owner.email, "invited a person", "eve@example.com") in notes()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"email": "OWNER@example.com"}, "Somebody has this address already."),
        ({"email": "nobody"}, "valid email address"),
        ({"password": "short"}, "too short"),
        ({"role": "superuser"}, "Select a valid choice"),
    ],
)
def test_an_invitation_that_makes_no_sense_is_none_and_the_page_says_why(console, owner, changed, said):
    page = console.post(f"{PEOPLE}add/", NEW | changed)

    assert said in page.content.decode()
    assert User.objects.count() == 1
    assert not notes()


def test_owners_change_what_people_may_do_and_shut_them_out(console, owner, colleague):
    page = person_page(colleague)

    assert console.post(page, {"first_name": "Ada", "role": "viewer", "is_active": "on"}).status_code == 302
    colleague.refresh_from_db()
    assert colleague.role == User.VIEWER
    console.post(page, {"first_name": "Ada", "role": "viewer", "is_active": "on"})  # nothing is another
    console.post(page, {"first_name": "Ada", "role": "viewer", "is_active": ""})
    colleague.refresh_from_db()
    assert not colleague.is_active
    assert Api(colleague).get("/instances/count").status_code == 401

    assert notes() == [
        (owner.email, "made a person viewer", colleague.email),
        (owner.email, "shut a person out", colleague.email),
    ]


@pytest.mark.parametrize("changed", [{"role": "viewer", "is_active": "on"}, {"role": "owner", "is_active": ""}])
def test_the_last_owner_stays_one(console, owner, changed):
    UserFactory.create(organization=owner.organization, role=User.OWNER, is_active=False)
    UserFactory.create(organization=owner.organization, role=User.OPERATOR)

    assert "the only owner" in console.post(person_page(owner), changed).content.decode()
    owner.refresh_from_db()
    assert (owner.role, owner.is_active) == ("owner", True)

    UserFactory.create(organization=owner.organization, role=User.OWNER)
    assert console.post(person_page(owner), changed).status_code == 302


def test_a_new_password_lets_somebody_in_who_was_shut_out_and_ends_their_sessions(console, owner, colleague):
    before = Client()
    before.force_login(colleague)
    for _ in range(5):
        Client().post("/console/login/", {"username": colleague.email, "password": "wrong"})
    page = f"{PEOPLE}{colleague.pk}/password/"
    assert console.get(page).status_code == 200
    assert "not the same" in console.post(page, {"password": "another horse", "again": "other"}).content.decode()
    assert "too short" in console.post(page, {"password": "short", "again": "short"}).content.decode()
    assert colleague.check_password(PASSWORD)

    assert console.post(page, {"password": "another horse", "again": "another horse"}).status_code == 302

    assert before.get("/console/").status_code == 302
    assert not AccessAttempt.objects.exists()
    after = Client()
    after.post("/console/login/", {"username": colleague.email, "password": "another horse"})
    assert after.get("/console/").status_code == 200
    assert (owner.email, "reset a password", colleague.email) in notes()


def test_nobody_but_owners_changes_people(colleague, owner, viewer):
    User.objects.filter(pk=colleague.pk).update(role=User.OPERATOR)
    operator = Client()
    operator.force_login(colleague)

    for other in (viewer, operator):
        assert owner.email in other.get(PEOPLE).content.decode()
        assert "Invite a person" not in other.get(PEOPLE).content.decode()
        assert other.get(person_page(owner)).status_code == 200
        assert other.get(f"{PEOPLE}{owner.pk}/history/").status_code == 404
        assert other.get(f"{PEOPLE}add/").status_code == 403
        assert other.post(f"{PEOPLE}add/", NEW).status_code == 403
        assert other.post(person_page(owner), {"role": "viewer", "is_active": "on"}).status_code == 403
        assert (
            other.post(f"{PEOPLE}{owner.pk}/password/", {"password": "another", "again": "another"}).status_code == 403
        )
    assert User.objects.filter(role=User.OWNER).get() == owner
    assert not notes()


def test_a_stranger_is_not_there(strange, owner):
    assert owner.email not in strange.get(PEOPLE).content.decode()
    for page in (person_page(owner), f"{PEOPLE}{owner.pk}/password/"):
        assert strange.get(page).status_code == 404
        assert strange.post(page, {"role": "viewer", "password": "another horse"}).status_code == 404
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


def test_who_runs_the_platform_is_not_changed_by_an_owner(console, owner, colleague):
    User.objects.filter(pk=colleague.pk).update(is_superuser=True)

    assert console.post(person_page(colleague), {"role": "viewer", "is_active": "on"}).status_code == 403
    sent = {"password": "another horse", "again": "another horse"}
    assert console.post(f"{PEOPLE}{colleague.pk}/password/", sent).status_code == 403
    # Nor does anybody become one with a field that the form does not show.
    console.post(person_page(owner), {"role": "owner", "is_active": "on", "is_superuser": "on", "organization": "1"})
    owner.refresh_from_db()
    assert not owner.is_superuser

    superuser = Client()
    superuser.force_login(colleague)
    assert superuser.post(person_page(owner), {"role": "owner", "is_active": "on"}).status_code == 302


def test_the_list_asks_the_database_as_often_for_many_people(console, owner, django_assert_max_num_queries):
    UserFactory.create_batch(30, organization=owner.organization)

    with django_assert_max_num_queries(10):
        assert console.get(PEOPLE).status_code == 200
