"""Roles over the API: who may call what, path by path, and what answers leave out for people who may only look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLResolver, get_resolver

from events.models import Event
from instances.models import User
from tests.api_client import Api
from tests.events.conftest import make_instance, publish
from tests.factories import UserFactory, token_of

Roles = tuple[str, ...]
EVERYBODY: Roles = ("owner", "operator", "viewer")
OPERATORS: Roles = ("owner", "operator")
OWNERS: Roles = ("owner",)
LOOKING: dict[str, Roles] = {"get": EVERYBODY}
CHANGING, SETTING = OPERATORS, OWNERS
OWN_OBJECTS: dict[str, dict[str, Roles]] = {
    "/objects/definitions": LOOKING,
    "/objects/<str:name>/definitions": {"get": EVERYBODY, "post": CHANGING, "put": CHANGING, "delete": CHANGING},
    "/transformations": LOOKING,
    "/transformations/<str:name>": {"get": EVERYBODY, "post": CHANGING, "put": CHANGING, "delete": CHANGING},
}

ROLES: dict[str, dict[str, Roles]] = {
    "/accounts/settings": {"get": EVERYBODY, "post": SETTING, "patch": SETTING},
    "/accounts/<str:account_id>/settings": {"get": EVERYBODY, "post": SETTING, "patch": SETTING},
    "/bulk/query": {"post": CHANGING},
    "/bulk/jobs": LOOKING,
    "/bulk/<str:bulk_id>/status": LOOKING,
    "/bulk/<str:bulk_id>/errors": LOOKING,
    "/bulk/<str:bulk_id>/cancel": {"put": CHANGING},
    "/bulk/<str:bulk_id>/<path:object_name>": {"get": OPERATORS},
    "/elements/<str:key_or_id>/instances": {"get": EVERYBODY, "post": CHANGING, "put": CHANGING, "patch": CHANGING},
    "/elements/<str:key_or_id>/instances/<str:instance_id>": {
        "get": EVERYBODY,
        "put": CHANGING,
        "patch": CHANGING,
        "delete": CHANGING,
    },
    "/instances": {"get": EVERYBODY, "post": CHANGING, "put": CHANGING, "patch": CHANGING},
    "/instances/<str:instance_id>": {"get": EVERYBODY, "put": CHANGING, "patch": CHANGING, "delete": CHANGING},
    "/instances/count": LOOKING,
    "/instances/docs": LOOKING,
    "/instances/<str:instance_id>/docs": LOOKING,
    "/instances/enabled": {"put": CHANGING, "delete": CHANGING},
    "/instances/<str:instance_id>/enabled": {"put": CHANGING, "delete": CHANGING},
    "/instances/configuration": LOOKING,
    "/instances/<str:instance_id>/configuration": LOOKING,
    "/instances/configuration/<str:entry_id>": {"get": EVERYBODY, "patch": CHANGING},
    "/instances/<str:instance_id>/configuration/<str:entry_id>": {"get": EVERYBODY, "patch": CHANGING},
    "/instances/event-poller-records": LOOKING,
    "/instances/polling-disabled": LOOKING,
    "/instances/trace": LOOKING,
    "/instances/<str:instance_id>/trace": LOOKING,
    "/instances/events": LOOKING,
    "/instances/events/<str:event_id>": LOOKING,
    "/instances/<str:instance_id>/events": LOOKING,
    "/instances/<str:instance_id>/events/<str:event_id>": LOOKING,
    "/instances/events/analytics": LOOKING,
    "/instances/events/analytics/instances": LOOKING,
    "/instances/events/analytics/accounts": LOOKING,
    "/instances/events/dispositions": LOOKING,
    "/instances/<str:instance_id>/registrations": {"get": EVERYBODY, "put": CHANGING},
    "/instances/<str:instance_id>/callbacks": {"get": EVERYBODY, "put": CHANGING},
    **{
        prefix + path: roles
        for prefix in ("/instances", "/instances/<str:instance_id>")
        for path, roles in OWN_OBJECTS.items()
    },
    "/jobs": {"get": EVERYBODY, "post": CHANGING},
    "/jobs/polling-disabled": LOOKING,
    "/jobs/<str:job_id>": {"get": EVERYBODY, "delete": CHANGING},
    "/notifications": {"get": EVERYBODY, "post": CHANGING},
    "/notifications/<str:notification_id>": {"get": EVERYBODY, "delete": CHANGING},
    "/notifications/<str:notification_id>/acknowledge": {"put": CHANGING},
    "/notifications/subscriptions": {"get": EVERYBODY, "post": CHANGING},
    "/notifications/subscriptions/deliveries": {"get": EVERYBODY, "put": CHANGING},
    "/notifications/subscriptions/<str:subscription_id>": {"get": EVERYBODY, "delete": CHANGING},
    "/notifications/subscriptions/<str:subscription_id>/circuit": LOOKING,
    "/notifications/subscriptions/<str:subscription_id>/transitions": LOOKING,
    "/notifications/<str:notification_id>/subscriptions/deliveries": LOOKING,
    "/notifications/<str:notification_id>/subscriptions/<str:subscription_id>/deliveries": LOOKING,
    "/notifications/<str:notification_id>/subscriptions/<str:subscription_id>/deliveries/attempts": LOOKING,
    "/objects": LOOKING,
    "/objects/<path:object_name>/metadata": LOOKING,
    "/objects/<path:object_name>/docs": LOOKING,
    "/ping": LOOKING,
    "/replays": {"get": EVERYBODY, "post": CHANGING},
    "/replays/preview": {"post": CHANGING},
    "/replays/<str:replay_id>": {"get": EVERYBODY, "patch": CHANGING},
    "/usage": LOOKING,
    "/usage/<str:request_id>": LOOKING,
    # Records.
    "/^(?P<path>(?s:.*))$": dict.fromkeys(("get", "post", "put", "patch", "delete"), OPERATORS),
}

NOT_BY_ROLE = frozenset(
    {"/authentication", "/authentication/secrets", "/elements", "/elements/keys", "/elements/metadata", "/hubs"}
    | {f"/elements/<str:key_or_id>{part}" for part in ("", "/configuration", "/metadata", "/docs", "/oauth/url")}
    | {"/hubs/keys", "/hubs/<str:hub_key>", "/hubs/<str:hub_key>/elements"}
    # Where providers post to, and the words for what there is not.
    | {"/^events/(?P<path>(?s:.*))$", "/^(?P<path>events(?:/(?s:.*))?)$", "/^(?P<path>accounts(?:/(?s:.*))?)$"}
    | {
        "/^(?P<path>(?:authentication|elements|formulas|instances|jobs|notifications|usage|users)(?:/(?s:.*))?)$",
    }
)
"""Open to anybody, or to whoever knows a login."""


def paths() -> Iterator[tuple[str, Any]]:
    """Every path of the API with its view. A hub's name in front changes nothing."""

    def walked(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Any]]:
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walked(pattern, path)
            else:
                yield path, pattern.callback

    for path, view in walked(get_resolver(), "/"):
        if path.startswith("/elements/api-v2/") and "/hubs/<str:hub>/" not in path:
            yield path.removeprefix("/elements/api-v2"), view


def test_every_path_says_whose_it_is():
    found = {path: getattr(view, "view_class", None) for path, view in paths()}

    assert set(found) == set(ROLES) | NOT_BY_ROLE
    for path, roles in ROLES.items():
        view: Any = found[path]
        assert {name for name in view.http_method_names if hasattr(view, name)} - {"head", "options"} == set(roles), (
            path
        )


@pytest.fixture
def instance(owner):
    """What it was told may be shown to nobody who only looks."""
    return make_instance(owner, "https://app.example.com/x?key=canary-query", signature_key="canary-signature-key")


SECRETS = ("canary-private-key", "canary-query", "canary-signature-key", "canary-record")


def called(path: str, values: dict[str, str]) -> str:
    """The path with ids in it."""
    if path.startswith("/^"):
        return "/contacts/7"
    for name, value in values.items():
        path = path.replace(f"<str:{name}>", value).replace(f"<path:{name}>", value)
    return path


NOTHING = {"key_or_id": "connectwisecrmrest", "object_name": "contacts", "name": "mine"} | dict.fromkeys(
    [
        f"{kind}_id"
        for kind in "account bulk instance entry event job notification subscription replay request".split()  # noqa: SIM905
    ],
    "0",
)


@pytest.mark.parametrize("role", EVERYBODY)
def test_a_role_may_what_the_table_says(instance, owner, role):
    caller = Api(UserFactory.create(organization=owner.organization, role=role)).through(instance)

    for path, roles in ROLES.items():
        for method, allowed in roles.items():
            with transaction.atomic():
                answer = caller.call(method.upper(), called(path, NOTHING), {} if method != "get" else None)
                transaction.set_rollback(True)
            assert (answer.status_code != 403) == (role in allowed), (method, path, answer.content)
            if role not in allowed:
                assert "role" in answer.json()["message"] or "owner" in answer.json()["message"], (method, path)


def test_somebody_who_may_only_look_is_told_no_secret_and_no_body_anywhere(instance, owner):
    (event,) = publish(instance)
    Event.objects.filter(pk=event.pk).update(body=bytes(event.body).replace(b"Ann 1", b"canary-record"))
    replay = Api(owner).post("/replays", {"where": f"config.url='{instance.subscription.url}'"}).json()
    viewer = Api(UserFactory.create(organization=owner.organization, role=User.VIEWER)).through(instance)
    values = NOTHING | {
        "instance_id": str(instance.pk),
        "event_id": str(event.pk),
        "notification_id": str(event.pk),
        "subscription_id": str(instance.subscription.pk),
        "job_id": f"poll-{instance.pk}",
        "replay_id": str(replay["id"]),
    }
    queries = {"topics[]": instance.topic, "where": "channel='webhook'", "hydrate": "true"}
    seen = ""
    for path, roles in ROLES.items():
        if "viewer" in roles.get("get", ()):
            said = viewer.get(called(path, values), **queries).content.decode()
            assert not [secret for secret in SECRETS if secret in said], path
            seen += said

    assert token_of(instance) not in seen
    # It looked somewhere.
    assert instance.name in seen
    assert f'"token":"{"*" * 8}"' in seen
    assert "https://app.example.com/x?********" in seen


def test_owners_and_operators_are_answered_as_ever(instance, owner):
    for role in OPERATORS:
        caller = Api(UserFactory.create(organization=owner.organization, role=role))
        shown = caller.get(f"/instances/{instance.pk}").json()
        assert shown["token"] == token_of(instance)
        assert "canary-query" in shown["eventsNotificationCallbackUrl"]
        assert "canary-query" in caller.get("/notifications/subscriptions").json()[0]["config"]["url"]
        assert caller.get("/instances", hydrate="false").json()[0]["token"] == token_of(instance)
