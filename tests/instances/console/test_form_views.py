"""Create and edit an instance in the console, over HTTP and against the sandbox."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.test import Client

from connectors import configuration_entries as keys
from connectors import registry
from instances.configuration import configuration_of
from instances.models import AuditEntry, Instance, User
from instances.signing_keys import SigningKey, read, stored
from tests.factories import InstanceFactory

LIST = "/console/instances/instance/"
NEW = f"{LIST}add/connectwisecrmrest/"
HTMX = {"HX-Request": "true"}
KEY = "canary-signature-key-of-the-owner"


@pytest.fixture
def filled(credentials) -> dict[str, str]:
    """The form of a new instance as somebody fills it in who wants events."""
    return {
        **credentials,
        "instance-name": "Acme",
        "instance-tags": "north\r\nsouth, east",
        keys.EVENTS_ENABLED: "true",
        keys.CALLBACK_URL: "https://app.example.com/ce",
        keys.SIGNATURE_KEY: KEY,
        keys.REFRESH_INTERVAL: "30",
    }


def said(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def edit(instance: Instance) -> str:
    return f"{LIST}{instance.pk}/edit/"


def drawn_with(page: Any) -> str:
    """What the form says that it was drawn with."""
    return html.unescape(page.content.decode().partition('name="initial" value="')[2].partition('"')[0])


def actions() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.filter(through="console").order_by("id").values_list("action", "detail"))


def test_catalogue_leads_to_a_form_for_every_element(console) -> None:
    page = said(console.get(f"{LIST}add/"))

    for element in registry.all_elements():
        assert element.name in page
        form = console.get(f"{LIST}add/{element.key}/")
        assert f'href="{LIST}add/{element.key}/"' in page
        assert form.status_code == 200
        for field in element.fields:
            assert f'name="{field.key}"' in form.content.decode()
    assert console.get(f"{LIST}add/nothing/").status_code == 404


def test_instance_is_created_as_the_request_beside_the_form_would(console, api, filled) -> None:
    shown = said(console.post(f"{NEW}request/", filled | {"with-secrets": "on"}))
    body = json.loads(shown.partition("<<'JSON'\n")[2].partition("\nJSON")[0])

    answer = console.post(NEW, filled, headers=HTMX)

    created = Instance.objects.get()
    assert answer.headers["HX-Redirect"] == f"{LIST}{created.pk}/created/"
    assert "What now?" in said(console.get(answer.headers["HX-Redirect"]))
    by_api = Instance.objects.get(pk=api.post("/instances", body).json()["id"])
    assert (created.name, created.tags) == (by_api.name, by_api.tags) == ("Acme", ["north", "south, east"])
    ours, theirs = configuration_of(created), configuration_of(by_api)
    assert ours.entries == theirs.entries
    without_key = {"signing_keys_encrypted": ""}
    assert {**ours.columns, **without_key} == {**theirs.columns, **without_key}
    assert read(created.signing_keys_encrypted) == (SigningKey(KEY),)
    assert actions()[:2] == [("created the instance", "of connectwisecrmrest"), ("switched events on", "")]


def test_problems_stand_at_their_fields_and_nothing_typed_is_lost_but_secrets(console, filled, sandbox) -> None:
    wrong = filled | {"instance-name": "", "company": "", keys.REFRESH_INTERVAL: "often"}

    answer = console.post(NEW, wrong)

    assert answer.status_code == 422
    page = said(answer)
    for problem in ("Name is missing", "This is missing", "Send a number of minutes, such as 15 or 0.5"):
        assert problem in page
    for kept in (filled[keys.CALLBACK_URL], 'value="often"', "south, east", 'id="field-event-notification-enabled"'):
        assert kept in page
    assert KEY not in page
    assert filled["private.key"] not in page
    assert sandbox.requests == []

    fragment = console.post(NEW, wrong, headers=HTMX)
    assert fragment.status_code == 200
    assert "<form" not in said(fragment)
    assert '<p class="form-problem" id="field-company-problem" hx-swap-oob="true">This is missing</p>' in said(fragment)
    assert not Instance.objects.exists()
    assert actions() == []


def test_refusal_of_the_provider_is_told_in_its_words_and_nothing_is_kept(console, filled) -> None:
    wrong = filled | {"private.key": "canary-wrong"}

    for url in (NEW, f"{NEW}try/"):
        page = said(console.post(url, wrong, headers=HTMX))
        assert "ConnectWise REST said:" in page
        assert 'href="#field-private-key"' in page
        assert "canary" not in page
    assert "The connection works." in said(console.post(f"{NEW}try/", filled, headers=HTMX))
    assert "The connection works." in said(console.post(f"{NEW}try/", filled))
    assert not Instance.objects.exists()


def test_what_is_typed_so_far_gets_its_request_and_advice(console, filled, sandbox) -> None:
    del filled[keys.CALLBACK_URL]
    page = said(console.post(f"{NEW}request/", filled | {keys.POLLER_CONFIGURATION: '{"contacts": {'}))

    assert "Without a callback URL events are kept here" in page
    assert "Is not JSON at line 1, column 15" in page
    assert '"private.key": "YOUR_PRIVATE_KEY"' in page
    assert KEY not in page
    assert sandbox.requests == []


def test_edit_changes_what_was_changed_and_the_log_names_it_without_values(console, created) -> None:
    api_changed = {"callback_url": "https://new.example/"}
    initial = drawn_with(console.get(edit(created)))
    Instance.objects.filter(pk=created.pk).update(**api_changed)

    answer = console.post(
        edit(created),
        {"initial": initial, "instance-name": "Acme North", "instance-tags": "Acme", keys.SIGNATURE_KEY: KEY},
    )

    assert answer.headers["Location"] == f"{LIST}{created.pk}/change/"
    before = configuration_of(created)
    created.refresh_from_db()
    assert (created.name, created.tags, created.callback_url) == ("Acme North", ["Acme"], "https://new.example/")
    assert configuration_of(created).entries == before.entries
    assert read(created.signing_keys_encrypted) == (SigningKey(KEY),)
    assert actions() == [("changed the instance", f"name, {keys.SIGNATURE_KEY}")]

    page = said(console.get(edit(created)))
    assert KEY not in page
    assert f"remove:{keys.SIGNATURE_KEY}" in page
    console.post(edit(created), {"instance-name": "Acme North", "instance-tags": "Acme", keys.EVENTS_ENABLED: ""})
    assert len(actions()) == 1


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["script", "no script"])
def test_what_somebody_else_changed_meanwhile_is_replaced_by_nobody_who_does_not_know(
    console, created, headers
) -> None:
    initial = drawn_with(console.get(edit(created)))
    Instance.objects.filter(pk=created.pk).update(callback_url="https://new.example/", tags=["theirs"])
    mine = {"instance-name": "Acme", "instance-tags": "mine", keys.CALLBACK_URL: "", "company": ""}

    page = console.post(edit(created), mine | {"initial": initial}, headers=headers)
    assert "Somebody else changed this meanwhile" in said(page)
    again = mine | {"company": configuration_of(created).entries["company"]}
    assert console.post(edit(created), again | {"initial": drawn_with(page)}).status_code == 302

    created.refresh_from_db()
    assert (created.tags, created.callback_url) == (["mine"], "https://new.example/")


def test_stored_secret_does_not_follow_to_another_host(console, created, sandbox) -> None:
    elsewhere = {"instance-name": "Acme", "instance-tags": "Acme", "baseUrl": "http://127.0.0.1:9999/apis/3.0"}
    asked = len(sandbox.requests)

    for url in (edit(created), f"{edit(created)}try/"):
        page = said(console.post(url, elsewhere, headers=HTMX))
        assert "Type it again, since baseUrl changed" in page
    assert len(sandbox.requests) == asked
    created.refresh_from_db()
    assert "9999" not in str(configuration_of(created).entries)


def test_instance_whose_key_is_lost_is_authenticated_anew(console, listening, credentials, settings, announced) -> None:
    Instance.objects.filter(pk=listening.pk).update(signing_keys_encrypted=stored([SigningKey("old")]))
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    again = f"{edit(listening)}?reauthenticate"

    assert console.get(edit(listening)).headers["Location"] == again
    page = said(console.get(again))
    assert "cannot be read any more" in page
    assert "instance-name" not in page
    assert console.post(again, credentials | {"private.key": ""}).status_code == 422
    assert console.post(again, credentials | {keys.SIGNATURE_KEY: KEY}).status_code == 302

    listening.refresh_from_db()
    assert configuration_of(listening).entries["private.key"] == credentials["private.key"]
    assert read(listening.signing_keys_encrypted) == (SigningKey(KEY),)
    assert announced == [(listening.pk, None, False)]  # the account is the same: polling goes on where it stood
    assert actions()[-1][0] == "re-authenticated the instance"


def test_authenticating_anew_asks_for_secrets_and_leaves_the_rest(console, created, credentials) -> None:
    again = f"{edit(created)}?reauthenticate"
    shown = {key: value for key, value in credentials.items() if key != "private.key"}

    assert "Type it again" in said(console.post(again, shown))
    polled = {"is_events_enabled": True, "poller_configuration": {"gone": {"url": "/hubs/crm/gone", "idField": "id"}}}
    Instance.objects.filter(pk=created.pk).update(**polled)
    assert "<li>event.poller.configuration" in said(console.post(again, credentials))
    Instance.objects.filter(pk=created.pk).update(is_events_enabled=False)
    Instance.objects.filter(pk=created.pk).update(is_valid=False, invalid_reason="401")
    assert console.post(again, credentials).status_code == 302
    created.refresh_from_db()
    assert created.is_valid
    assert created.name == "Acme"


def test_who_may_look_at_the_form_of_an_instance(console, viewer, strange, owner) -> None:
    instance = InstanceFactory.create(user=owner)
    for page in ("edit/", "edit/?reauthenticate", "created/"):
        url = f"{LIST}{instance.pk}/{page}"
        assert [one.get(url).status_code for one in (console, viewer, strange, Client())] == [200, 403, 404, 302]


def test_who_belongs_to_no_organization_creates_nothing(client, db) -> None:
    client.force_login(User.objects.create_superuser("root@example.com", "secret"))

    assert "You belong to no organization" in said(client.get(f"{LIST}add/"))
    assert client.get(NEW).status_code == 403


def test_viewers_strangers_and_foreign_pages_change_and_try_nothing(viewer, strange, owner, filled, sandbox) -> None:
    instance = InstanceFactory.create(user=owner, name="Acme")
    foreign_page = Client(enforce_csrf_checks=True)
    foreign_page.force_login(owner)

    for step in ("", "try/", "request/"):
        existing = f"{edit(instance)}{step}"
        assert strange.post(existing, filled).status_code == 404
        for url in (existing, f"{NEW}{step}"):
            assert viewer.post(url, filled).status_code == 403
            assert foreign_page.post(url, filled).status_code == 403
    assert list(Instance.objects.values_list("name", flat=True)) == ["Acme"]
    assert sandbox.requests == []


def test_what_people_call_things_stays_text(console, owner) -> None:
    hostile = '"><script>alert(1)</script>'
    instance = InstanceFactory.create(user=owner, name=hostile, tags=[hostile, "{{7*7}}"])

    page = console.get(edit(instance)).content.decode()

    assert "<script>alert" not in page
    assert "canary-private-key" not in page
    assert "{{7*7}}" in page


@pytest.mark.parametrize("count", [3, 30])
def test_queries_do_not_grow_with_instances(console, owner, django_assert_max_num_queries, count) -> None:
    instances = InstanceFactory.create_batch(count, user=owner)

    with django_assert_max_num_queries(8):
        page = said(console.get(edit(instances[0])))
    assert f'<option value="{instances[-1].name}">' in page
