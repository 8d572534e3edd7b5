"""Signing in to the console."""

from __future__ import annotations

import pytest
from django.test import Client

from instances.models import AuditEntry, User
from tests.factories import PASSWORD

LOGIN = "/console/login/"


def test_people_sign_in_and_are_where_they_wanted_to_be(client, owner):
    asked = client.get("/console/instances/instance/?q=acme")
    assert asked.status_code == 302
    page = client.get(asked["Location"])
    assert 'type="password"' in page.content.decode()

    answer = client.post(asked["Location"], {"username": owner.email, "password": PASSWORD})

    assert (answer.status_code, answer["Location"]) == (302, "/console/instances/instance/?q=acme")
    assert client.get(answer["Location"]).status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "\\\\evil",
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(client, owner, elsewhere):
    for place in ("query", "body"):
        client.logout()
        answer = client.post(
            LOGIN,
            {"username": owner.email, "password": PASSWORD} | ({"next": elsewhere} if place == "body" else {}),
            query_params={"next": elsewhere} if place == "query" else {},
        )
        assert (answer.status_code, answer["Location"]) == (302, "/console/")


def test_a_session_is_new_after_signing_in_and_ends_with_the_day(client, owner):
    client.get(LOGIN)
    client.session["seen"] = True
    session = client.session
    session.save()
    client.cookies["sessionid"] = session.session_key

    client.post(LOGIN, {"username": owner.email, "password": PASSWORD})

    cookie = client.cookies["sessionid"]
    assert cookie.value != session.session_key
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 12 * 3600


def test_every_reason_for_refusing_reads_the_same(client, owner, colleague):
    User.objects.filter(pk=colleague.pk).update(is_active=False)
    User.objects.create_user("program@example.com", PASSWORD, is_staff=False)

    for email, password in [
        (owner.email, "wrong"),
        ("nobody@example.com", PASSWORD),
        (colleague.email, PASSWORD),
        ("program@example.com", PASSWORD),
    ]:
        page = client.post(LOGIN, {"username": email, "password": password})
        assert page.status_code == 200
        assert "The e-mail address or the password is wrong." in page.content.decode()


def test_people_change_their_password_and_other_sessions_end(client, owner):
    client.force_login(owner)
    elsewhere = Client()
    elsewhere.force_login(owner)
    sent = {
        "old_password": PASSWORD,
        "new_password1": "another horse battery",
        "new_password2": "another horse battery",
    }

    assert client.get("/console/password_change/").status_code == 200
    assert client.post("/console/password_change/", sent | {"old_password": "wrong"}).status_code == 200
    assert client.post("/console/password_change/", sent).status_code == 302

    owner.refresh_from_db()
    assert owner.check_password("another horse battery")
    assert client.get("/console/").status_code == 200
    assert elsewhere.get("/console/").status_code == 302
    assert list(AuditEntry.objects.values_list("who", "action")) == [(owner.email, "changed their password")]


def test_a_form_that_comes_without_its_token_is_refused(owner):
    strict = Client(enforce_csrf_checks=True)
    page = strict.get(LOGIN)
    sent = {"username": owner.email, "password": PASSWORD}

    assert strict.post(LOGIN, sent).status_code == 403
    # Scripts of ours read the cookie and send it as a header.
    assert not page.cookies["csrftoken"]["httponly"]
    token = page.cookies["csrftoken"].value
    assert strict.post(LOGIN, sent, headers={"X-CSRFToken": token}).status_code == 302
