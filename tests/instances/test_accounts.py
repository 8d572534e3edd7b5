from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from instances.accounts import TOKEN_SECONDS
from instances.encryption import decrypt, fingerprint
from instances.models import Organization, User
from tests.api_client import Api
from tests.factories import PASSWORD, UserFactory


def created(**options: str) -> Any:
    out = StringIO()
    call_command(
        "create_account",
        **{"organization": "Acme", "login": "ada@example.com", "password": PASSWORD} | options,
        stdout=out,
    )
    (line,) = out.getvalue().splitlines()
    return json.loads(line)


def test_command_prints_one_line_of_secrets_that_work(db):
    account = created()

    header = f"User {account['userSecret']}, Organization {account['organizationSecret']}"
    assert Api(None).call("GET", "/instances/count", authorization=header).json()["totalInstances"] == 0
    assert account["login"] == "ada@example.com"
    assert account["userId"] == User.objects.get().pk
    assert account["organizationId"] == Organization.objects.get().pk
    assert len(account["userSecret"]) == 44
    assert len(account["organizationSecret"]) == 32


def test_same_organization_name_adds_a_user_to_it(db):
    first, second = created(), created(login="bob@example.com")

    assert first["organizationSecret"] == second["organizationSecret"]
    assert first["organizationId"] == second["organizationId"]
    assert first["userSecret"] != second["userSecret"]


def test_account_can_sign_in_to_the_console(db, client):
    created()

    client.post("/console/login/", {"username": "Ada@Example.com", "password": PASSWORD})
    assert client.get("/console/").status_code == 200
    assert User.objects.get().is_staff
    assert not User.objects.get().is_superuser


def test_secrets_lie_hashed_and_encrypted(db):
    account, user = created(), User.objects.get()

    assert user.secret_hash == fingerprint(account["userSecret"])
    assert account["userSecret"] not in user.secret_encrypted
    assert decrypt(user.secret_encrypted) == account["userSecret"]
    assert user.organization is not None
    assert account["organizationSecret"] not in user.organization.secret_encrypted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"organization": " "}, "--organization: give a name"),
        ({"organization": "x" * 201}, "--organization: give a name"),
        ({"login": "ada"}, "--login: give an e-mail address"),
        ({"password": ""}, "--password: give one"),
    ],
)
def test_bad_options_name_the_way_out_and_leave_nothing(db, options, message):
    with pytest.raises(CommandError, match=message):
        created(**options)

    assert not User.objects.exists()
    assert not Organization.objects.exists()


def test_login_that_exists_is_refused_in_any_case_and_leaves_no_organization(db):
    created()

    with pytest.raises(CommandError, match="exists already"):
        created(organization="Other", login="ADA@example.com")

    assert Organization.objects.count() == 1


def test_login_gives_a_token_that_gives_the_secrets(db):
    account, anybody = created(), Api(None)

    token = anybody.post("/authentication", {"username": "ada@example.com", "password": PASSWORD}).json()["token"]
    answer = anybody.call("GET", "/authentication/secrets", authorization=f"Bearer {token}")

    assert answer.status_code == 200
    assert answer.json() == {key: account[key] for key in ("userSecret", "organizationSecret")}
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("login", [("ada@example.com", "wrong"), ("nobody@example.com", PASSWORD)])
def test_wrong_credentials_are_401_whichever_half_is_wrong(db, login):
    created()

    answer = Api(None).post("/authentication", {"username": login[0], "password": login[1]})

    assert answer.status_code == 401
    assert answer.json()["message"] == "The username or the password is wrong"


def test_deactivated_user_gets_no_token(db):
    user = UserFactory.create(is_active=False)

    assert Api(None).post("/authentication", {"username": user.email, "password": PASSWORD}).status_code == 401


@pytest.mark.parametrize("body", [{}, [], {"username": "ada@example.com"}, {"username": 1, "password": 2}])
def test_incomplete_login_is_400(db, body):
    assert Api(None).post("/authentication", body).status_code == 400


def test_token_ends_by_itself(db):
    created()
    anybody = Api(None)
    token = anybody.post("/authentication", {"username": "ada@example.com", "password": PASSWORD}).json()["token"]

    with time_machine.travel(timezone.now() + timedelta(seconds=TOKEN_SECONDS + 1)):
        answer = anybody.call("GET", "/authentication/secrets", authorization=f"Bearer {token}")

    assert answer.status_code == 401


def test_token_ends_with_the_password(db):
    created()
    anybody = Api(None)
    token = anybody.post("/authentication", {"username": "ada@example.com", "password": PASSWORD}).json()["token"]
    user = User.objects.get()
    user.set_password("another horse battery")
    user.save()

    assert anybody.call("GET", "/authentication/secrets", authorization=f"Bearer {token}").status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer made-up", "Basic YTpi", "User x, Organization y"])
def test_anything_but_a_token_of_ours_is_401(db, header):
    answer = Api(None).call("GET", "/authentication/secrets", authorization=header)

    assert answer.status_code == 401
    assert set(answer.json()) == {"requestId", "message"}


def test_superuser_without_organization_has_no_secrets_to_read(db):
    User.objects.create_superuser("root@example.com", PASSWORD)
    anybody = Api(None)
    token = anybody.post("/authentication", {"username": "root@example.com", "password": PASSWORD}).json()["token"]

    assert anybody.call("GET", "/authentication/secrets", authorization=f"Bearer {token}").status_code == 403
