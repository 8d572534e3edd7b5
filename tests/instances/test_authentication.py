"""Who is calling: the grammar of the Authorization header, and every way in which it fails."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instances.authentication import parse
from instances.encryption import decrypt
from instances.errors import NotAuthenticated
from tests.api_client import Api
from tests.factories import InstanceFactory, UserFactory, token_of

SECRETS = st.text(alphabet=string.ascii_letters + string.digits + "+/=", min_size=1, max_size=60)
SPACES = st.text(alphabet=" \t", max_size=3)


def any_case(word: str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from([letter.lower(), letter.upper()]) for letter in word)).map("".join)


@given(
    st.permutations(["user", "organization", "element"]).flatmap(
        lambda kinds: st.tuples(
            *(
                st.tuples(st.just(kind), any_case(kind), SECRETS, SPACES, SPACES.map(lambda text: text or " "), SPACES)
                for kind in kinds
            )
        )
    )
)
def test_any_order_case_and_spacing_reads_the_same_secrets(credentials):
    header = ",".join(
        f"{before}{keyword}{between}{secret}{after}" for _, keyword, secret, before, between, after in credentials
    )

    assert parse(header) == {kind: secret for kind, _, secret, *_ in credentials}


@given(SECRETS, SECRETS)
def test_token_is_another_word_for_element(user, token):
    assert parse(f"User {user}, Token {token}") == {"user": user, "element": token}


@given(SECRETS, SECRETS)
def test_unknown_keywords_are_passed_over(user, other):
    assert parse(f"Formula {other}, User {user}") == {"user": user}


@given(st.text(max_size=80))
def test_whatever_comes_is_read_or_refused(header):
    try:
        presented = parse(header)
    except NotAuthenticated:
        return
    assert set(presented) <= {"user", "organization", "element"}
    assert all(secret and "," not in secret for secret in presented.values())


@pytest.mark.parametrize("header", ["User", "User a b", ",", "User a,", "User=abc", "🙂", "User abc Organization def"])
def test_malformed_header_is_401_with_the_error_body(api, header):
    answer = api.call("GET", "/instances", authorization=header)

    assert answer.status_code == 401
    assert answer.json()["requestId"] == answer["Elements-Request-Id"]
    assert "Authorization" in answer.json()["message"]


def test_no_header_is_401(db):
    answer = Api(None).get("/instances")

    assert answer.status_code == 401
    assert set(answer.json()) == {"requestId", "message"}


@pytest.mark.parametrize("path", ["/instances/1", "/instances/count", "/instances/1/configuration"])
def test_unknown_user_secret_is_401_before_404(api, owner, path):
    secret = decrypt(owner.organization.secret_encrypted)

    assert api.call("GET", path, authorization=f"User nobody, Organization {secret}").status_code == 401


def test_unknown_organization_secret_is_401(api, owner):
    answer = api.call("GET", "/instances", authorization=f"User {decrypt(owner.secret_encrypted)}, Organization nobody")

    assert answer.status_code == 401


def test_user_alone_is_401_on_the_platform(api, owner):
    assert api.call("GET", "/instances", authorization=f"User {decrypt(owner.secret_encrypted)}").status_code == 401


def test_secrets_of_different_organizations_are_401(api, owner, stranger):
    header = f"User {decrypt(owner.secret_encrypted)}, Organization {decrypt(stranger.organization.secret_encrypted)}"

    answer = api.call("GET", "/instances", authorization=header)

    assert answer.status_code == 401
    assert "belong together" in answer.json()["message"]


def test_deactivated_user_is_401(api, owner):
    InstanceFactory.create(user=owner)
    assert api.get("/instances").status_code == 200

    owner.is_active = False
    owner.save()

    assert api.get("/instances").status_code == 401


def test_user_without_organization_is_401(db):
    loner = UserFactory.create(organization=None)

    assert (
        Api(None).call("GET", "/instances", authorization=f"User {decrypt(loner.secret_encrypted)}").status_code == 401
    )


def test_stale_element_credential_does_not_matter_on_the_platform(api, owner):
    instance = InstanceFactory.create(user=owner)

    assert api.through("gone").get(f"/instances/{instance.pk}").status_code == 200


def test_paths_by_token_need_a_token_that_the_user_may_use(api, owner, stranger):
    own, foreign = InstanceFactory.create(user=owner), InstanceFactory.create(user=stranger)

    assert api.through(own).get("/instances/configuration").status_code == 200
    assert api.get("/instances/configuration").status_code == 401
    assert api.through("gone").get("/instances/configuration").status_code == 401
    assert api.through(foreign).get("/instances/configuration").status_code == 401


@pytest.mark.parametrize("order", ["{element}, {organization}, {user}", "{user},{element} ,  {organization}"])
def test_credentials_come_in_any_order(api, owner, order):
    instance = InstanceFactory.create(user=owner)
    header = order.format(
        user=f"USER {decrypt(owner.secret_encrypted)}",
        organization=f"organization {decrypt(owner.organization.secret_encrypted)}",
        element=f"Token {token_of(instance)}",
    )

    assert api.call("GET", "/instances/configuration", authorization=header).status_code == 200


def test_viewer_looks_and_does_not_touch(owner):
    instance = InstanceFactory.create(user=owner)
    viewer = Api(UserFactory.create(organization=owner.organization, role="viewer"))

    assert viewer.get(f"/instances/{instance.pk}").status_code == 200
    assert viewer.patch(f"/instances/{instance.pk}", {"name": "mine"}).status_code == 403
    assert viewer.delete(f"/instances/{instance.pk}").status_code == 403
