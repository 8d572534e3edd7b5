"""PUT, PATCH, DELETE: what a change keeps, what it asks of the provider, and what it tells the other apps."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections

from connectors.sandbox import Sandbox
from instances import provisioning
from instances.configuration import configuration_of, connection_of
from instances.errors import Conflict
from instances.models import Instance
from instances.signals import instance_deleting
from tests.factories import InstanceFactory, token_of

ENABLED = "event.notification.enabled"
CALLBACK = "event.notification.callback.url"
POLLERS = "event.poller.configuration"


def configuration_entry(api, instance: Instance, key: str) -> Any:
    (entry,) = [one for one in api.get(f"/instances/{instance.pk}/configuration").json() if one["key"] == key]
    return entry


def test_round_trip_of_the_whole_object_changes_what_was_changed_and_nothing_else(api, created, sandbox):
    whole = api.get(f"/instances/{created.pk}").json()
    before, requests = connection_of(created), len(sandbox.requests)

    answer = api.put(f"/instances/{created.pk}", whole | {"tags": ["other"]})

    assert answer.status_code == 200
    assert answer.json() == whole | {"tags": ["other"]}
    created.refresh_from_db()
    assert dict(connection_of(created).configuration) == dict(before.configuration)
    connection_of(created).client().check()
    assert len(sandbox.requests) == requests + 1, "a change of tags is none of the provider's business"


def test_two_members_are_enough_for_a_put(api, created):
    answer = api.put(f"/instances/{created.pk}", {"name": "<b>Other</b>", "tags": ["<i>x</i>"]})

    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["tags"]) == ("Other", ["x"])
    assert answer.json()["configuration"]["company"] == "acme"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_instance_is_changed_by_its_token_too(api, created, method):
    answer = api.through(created).call(method, "/instances", {"configuration": {CALLBACK: "https://a.example.com/"}})

    assert answer.status_code == 200
    assert answer.json()["id"] == created.pk
    assert answer.json()["token"] == token_of(created)
    assert answer.json()["eventsNotificationCallbackUrl"] == "https://a.example.com/"


def test_patch_merges_the_configuration_by_key(api, created):
    api.patch(f"/instances/{created.pk}", {"configuration": {CALLBACK: "https://a.example.com/", "our.own": "x"}})
    configuration = api.patch(f"/instances/{created.pk}", {"configuration": {"our.own": "y"}}).json()["configuration"]

    assert configuration[CALLBACK] == "https://a.example.com/"
    assert configuration["our.own"] == "y"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("key", ["event.notification.enabled", "baseUrl"])
def test_a_setting_beside_the_configuration_is_refused_and_not_passed_over(api, created, method, key):
    path = "/instances" if method == "POST" else f"/instances/{created.pk}"

    answer = api.call(method, path, {"name": "Renamed", key: False})

    assert answer.status_code == 400
    assert f'{key}: send it inside "configuration"' in answer.json()["message"]
    assert api.get(f"/instances/{created.pk}").json()["name"] == created.name


def test_null_takes_a_setting_back(api, created):
    api.patch(f"/instances/{created.pk}", {"configuration": {CALLBACK: "https://a.example.com/"}})
    answer = api.patch(f"/instances/{created.pk}", {"configuration": {CALLBACK: None}}).json()

    assert answer["configuration"][CALLBACK] is None
    assert "eventsNotificationCallbackUrl" not in answer


def test_empty_tags_clear_and_nothing_is_added(api, created):
    assert api.patch(f"/instances/{created.pk}", {"tags": []}).json()["tags"] == []
    assert api.patch(f"/instances/{created.pk}", {"name": "Other"}).json()["tags"] == []


def test_read_only_members_are_passed_over(api, created):
    token = token_of(created)
    sent = {"id": 7, "token": "mine", "valid": False, "disabled": True, "element": {"key": "connectwisecrmrest"}}
    sent |= {"configuration": {"event.notification.subscription.id": "5"}, "createdDate": "1970-01-01T00:00:00Z"}

    answer = api.patch(f"/instances/{created.pk}", sent).json()

    assert (answer["id"], answer["token"], answer["valid"], answer["disabled"]) == (created.pk, token, True, False)
    assert answer["configuration"]["event.notification.subscription.id"] is None


def test_required_entry_cannot_be_taken_away(api, created):
    answer = api.patch(f"/instances/{created.pk}", {"configuration": {"company": ""}})

    assert answer.status_code == 400
    assert "company" in answer.json()["message"]


def test_new_credentials_are_tried_before_they_are_kept(api, created, sandbox):
    answer = api.patch(f"/instances/{created.pk}", {"configuration": {"private.key": "wrong"}})

    assert answer.status_code == 400
    assert answer.json()["providerMessage"]
    created.refresh_from_db()
    assert connection_of(created).configuration["private.key"] == sandbox.private_key


@pytest.mark.parametrize(
    "moved",
    [
        {"company": "other"},
        {"baseUrl": "https://evil.example.com/v4_6_release/apis/3.0"},
        {"baseURL": "https://evil.example.com/v4_6_release/apis/3.0"},
        {"baseUrl": "https://127.0.0.1/v4_6_release/apis/3.0"},
        {"company": "other", "private.key": "********"},
    ],
    ids=str,
)
def test_stored_secret_goes_to_no_other_account(api, created, sandbox, moved):
    asked = len(sandbox.requests)
    answer = api.patch(f"/instances/{created.pk}", {"configuration": moved})

    assert answer.status_code == 400
    assert "private.key" in answer.json()["message"]
    assert "again" in answer.json()["message"]
    assert len(sandbox.requests) == asked
    created.refresh_from_db()
    assert connection_of(created).configuration["company"] == sandbox.company


def test_another_path_on_the_same_host_needs_no_secret(api, created, sandbox):
    answer = api.patch(f"/instances/{created.pk}", {"configuration": {"baseUrl": f"{sandbox.base_url}/"}})

    assert answer.status_code == 200, answer.json()


def test_instance_keeps_its_element(api, created):
    assert api.patch(f"/instances/{created.pk}", {"element": {"key": "nothing"}}).status_code == 404
    assert api.patch(f"/instances/{created.pk}", {"element": {"id": 3012}}).status_code == 200


def test_switching_events_on_and_off_is_told_with_a_baseline(api, created, sandbox, announced):
    api.patch(f"/instances/{created.pk}", {"configuration": {ENABLED: "true"}})
    api.patch(f"/instances/{created.pk}", {"configuration": {ENABLED: True}})
    api.patch(f"/instances/{created.pk}", {"configuration": {ENABLED: "false"}})

    (_, began, _), (_, stayed, _), (_, ended, _) = announced
    assert set(began.highest_ids) == {"contacts", "incidents", "organizations"}
    assert stayed is None
    assert ended is None


def test_resources_that_are_added_begin_alone(api, listening, announced):
    path = f"/instances/{listening.pk}"
    documented = listening.element.poller_configuration
    fewer = {"contacts": documented["contacts"]}

    api.patch(path, {"configuration": {POLLERS: fewer}})
    api.patch(path, {"configuration": {POLLERS: fewer | {"incidents": documented["incidents"]}}})

    (_, dropped, _), (_, added, _) = announced
    assert dropped is None
    assert set(added.highest_ids) == {"incidents"}


def test_name_that_stands_for_another_resource_begins_anew(api, listening, announced):
    documented = listening.element.poller_configuration
    api.patch(f"/instances/{listening.pk}", {"configuration": {POLLERS: {"contacts": documented["incidents"]}}})

    ((_, baseline, _),) = announced
    assert set(baseline.highest_ids) == {"contacts"}


def test_other_settings_need_no_baseline_and_no_provider(api, listening, announced, sandbox):
    asked = len(sandbox.requests)
    api.patch(f"/instances/{listening.pk}", {"configuration": {"event.poller.refresh_interval": 1}})

    assert [(baseline, starts_over) for _, baseline, starts_over in announced] == [(None, False)]
    assert len(sandbox.requests) == asked


def test_names_and_tags_are_nobody_else_s_business(api, listening, announced):
    api.patch(f"/instances/{listening.pk}", {"name": "Other", "tags": ["x"]})

    assert announced == []


def test_same_configuration_sent_again_is_told_so_that_stopped_polls_resume(api, listening, announced):
    api.patch(f"/instances/{listening.pk}", {"configuration": {ENABLED: True}})

    assert announced == [(listening.pk, None, False)]


def test_another_account_starts_over(api, listening, announced):
    with Sandbox.start(contacts=3, companies=1, tickets=1) as other:
        moved = {"baseUrl": other.base_url, "private.key": other.private_key}
        assert api.patch(f"/instances/{listening.pk}", {"configuration": moved}).status_code == 200

    ((_, baseline, starts_over),) = announced
    assert starts_over is True
    assert set(baseline.highest_ids) == {"contacts", "incidents", "organizations"}


def test_events_do_not_begin_while_the_provider_cannot_be_asked(api, created, sandbox):
    sandbox.behave(status=500)
    answer = api.patch(f"/instances/{created.pk}", {"configuration": {ENABLED: True}})

    assert answer.status_code == 400
    created.refresh_from_db()
    assert created.is_events_enabled is False


def test_disabling_and_enabling_by_id_and_by_token(api, listening, announced):
    for call in (api.delete, api.put):
        for path in (f"/instances/{listening.pk}/enabled", "/instances/enabled"):
            assert call.__self__.through(listening).call(call.__name__.upper(), path).status_code == 200
            listening.refresh_from_db()
            assert listening.is_disabled is (call.__name__ == "delete")

    baselines = [baseline for _, baseline, _ in announced]
    assert [baseline is not None for baseline in baselines] == [False, False, True, False]


def test_deleted_instance_is_gone_and_its_token_proves_nothing(api, created):
    told = []

    def remember(*, instance, **_signal):
        told.append(instance.pk)

    instance_deleting.connect(remember)
    answer = api.delete(f"/instances/{created.pk}")
    instance_deleting.disconnect(remember)

    assert (answer.status_code, answer.content) == (200, b"")
    assert told == [created.pk]
    assert api.get(f"/instances/{created.pk}").status_code == 404
    assert api.delete(f"/instances/{created.pk}").status_code == 404
    assert api.through(created).get("/instances/configuration").status_code == 401


def test_configuration_is_a_list_of_entries_with_ids(api, created):
    entries = api.get(f"/instances/{created.pk}/configuration").json()

    assert entries == api.through(created).get("/instances/configuration").json()
    assert len({entry["id"] for entry in entries}) == len(entries)
    by_key = {entry["key"]: entry for entry in entries}
    assert by_key["private.key"]["propertyValue"] == "********"
    assert by_key["filter.response.nulls"]["propertyValue"] == "true"
    assert by_key["baseUrl"]["required"] is True
    assert by_key[ENABLED]["elementInstanceId"] == created.pk


def test_one_entry_is_read_and_changed_by_its_id(api, created):
    entry = configuration_entry(api, created, "filter.response.nulls")
    for caller, base in (
        (api, f"/instances/{created.pk}/configuration"),
        (api.through(created), "/instances/configuration"),
    ):
        path = f"{base}/{entry['id']}"
        assert caller.get(path).json()["key"] == "filter.response.nulls"
        for value in ("false", "true"):
            answer = caller.patch(path, entry | {"propertyValue": value})
            assert answer.status_code == 200
            assert answer.json() == entry | {"propertyValue": value}
            created.refresh_from_db()
            assert created.filters_nulls is (value == "true")


def test_undeclared_entries_have_ids_that_stay(api, created):
    api.patch(f"/instances/{created.pk}", {"configuration": {"our.own": "x", "our.other": "y"}})
    first = configuration_entry(api, created, "our.own")
    api.patch(f"/instances/{created.pk}", {"configuration": {"a.new.one": "z"}})

    assert configuration_entry(api, created, "our.own") == first
    answer = api.patch(f"/instances/{created.pk}/configuration/{first['id']}", {"propertyValue": "w"})
    assert answer.json() == first | {"propertyValue": "w"}


def test_masked_entry_keeps_its_secret(api, created, sandbox):
    entry = configuration_entry(api, created, "private.key")

    assert api.patch(f"/instances/{created.pk}/configuration/{entry['id']}", entry).status_code == 200
    created.refresh_from_db()
    assert connection_of(created).configuration["private.key"] == sandbox.private_key


@pytest.mark.parametrize("sent", [{}, [], {"value": "x"}])
def test_entry_without_a_value_is_400(api, created, sent):
    entry = configuration_entry(api, created, ENABLED)

    assert api.patch(f"/instances/{created.pk}/configuration/{entry['id']}", sent).status_code == 400


@pytest.mark.parametrize("entry_id", ["0", "-1", "x", "99999999999999999999"])
def test_unknown_entry_is_404(api, created, entry_id):
    path = f"/instances/{created.pk}/configuration/{entry_id}"

    assert api.get(path).status_code == 404
    assert api.patch(path, {"propertyValue": "x"}).status_code == 404


def test_refused_credentials_are_noted_and_new_ones_clear_the_note(api, created, sandbox):
    assert provisioning.mark_needs_attention(created.pk, "ConnectWise refused the credentials")
    shown = api.get(f"/instances/{created.pk}").json()
    assert (shown["valid"], shown["invalidReason"]) == (False, "ConnectWise refused the credentials")

    api.patch(f"/instances/{created.pk}", {"configuration": {"private.key": "********"}})
    assert api.get(f"/instances/{created.pk}").json()["valid"] is False

    api.patch(f"/instances/{created.pk}", {"configuration": {"private.key": sandbox.private_key}})
    shown = api.get(f"/instances/{created.pk}").json()
    assert shown["valid"] is True
    assert "invalidReason" not in shown


def test_late_refusal_of_old_credentials_is_not_held_against_new_ones(api, created, sandbox):
    seen = Instance.objects.get(pk=created.pk)
    api.patch(f"/instances/{created.pk}", {"configuration": {"public.key": sandbox.public_key, "our.own": "x"}})

    assert provisioning.mark_needs_attention(created.pk, "refused", seen=seen) is False
    assert api.get(f"/instances/{created.pk}").json()["valid"] is True


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_provider_is_asked(api, body, sandbox):
    states: list[str] = []

    def look(_request: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND xact_start < now()"
            )
            states.extend(state for (state,) in cursor.fetchall())
        connections.close_all()

    sandbox.on_request = look
    instance_id = api.post("/instances", body).json()["id"]
    api.patch(f"/instances/{instance_id}", {"configuration": {ENABLED: True}})

    assert len(sandbox.requests) == 6
    assert states == []


@pytest.mark.django_db(transaction=True)
def test_change_made_while_the_provider_is_asked_is_not_lost(api, body, sandbox, announced):
    instance_id = api.post("/instances", body).json()["id"]
    done = threading.Event()

    def change_meanwhile(_request: object) -> None:
        if not done.is_set():
            done.set()
            provisioning.update(instance_id=instance_id, configuration={"our.own": "x", "filter.response.nulls": False})
            connections.close_all()

    sandbox.on_request = change_meanwhile
    configuration = api.patch(f"/instances/{instance_id}", {"configuration": {ENABLED: True}}).json()["configuration"]

    assert configuration["our.own"] == "x"
    assert configuration["filter.response.nulls"] == "false"
    assert configuration[ENABLED] == "true"


@pytest.mark.django_db(transaction=True)
def test_answer_to_another_question_is_asked_for_again(api, body, sandbox, announced):
    instance_id = api.post("/instances", body).json()["id"]
    pollers = dict(Instance.objects.get().element.poller_configuration)
    done = threading.Event()

    def poll_less_meanwhile(_request: object) -> None:
        if not done.is_set():
            done.set()
            fewer = {"contacts": pollers["contacts"]}
            provisioning.update(instance_id=instance_id, configuration={POLLERS: fewer})
            connections.close_all()

    sandbox.on_request = poll_less_meanwhile
    api.patch(f"/instances/{instance_id}", {"configuration": {ENABLED: True}})

    _, baseline, _ = announced[-1]
    assert set(baseline.highest_ids) == {"contacts"}


@pytest.mark.django_db(transaction=True)
def test_endless_contention_ends_with_409(api, body, sandbox):
    instance_id = api.post("/instances", body).json()["id"]
    pollers, turns = dict(Instance.objects.get().element.poller_configuration), [0]

    def keep_changing(request: Any) -> None:
        if request.endpoint == "/company/contacts":
            turns[0] += 1
            names = ["contacts", "incidents"][: 1 + turns[0] % 2]
            update = {POLLERS: {name: pollers[name] for name in names}}
            provisioning.update(instance_id=instance_id, configuration=update)
            connections.close_all()

    sandbox.on_request = keep_changing
    with pytest.raises(Conflict):
        provisioning.update(instance_id=instance_id, configuration={ENABLED: True})


@pytest.mark.django_db(transaction=True)
def test_patches_at_the_same_moment_keep_each_other_s_keys(owner):
    instance = InstanceFactory.create(user=owner)
    start = threading.Barrier(8)

    def patch(number: int) -> None:
        start.wait()
        provisioning.update(instance_id=instance.pk, configuration={f"key.{number}": str(number)})
        connections.close_all()

    threads = [threading.Thread(target=patch, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    entries = configuration_of(Instance.objects.get()).entries
    assert {key: value for key, value in entries.items() if key.startswith("key.")} == {
        f"key.{number}": str(number) for number in range(8)
    }


def test_clock_of_the_baseline_is_the_provider_s(api, created, sandbox, announced):
    sandbox.clock.freeze(datetime(2019, 1, 1, tzinfo=UTC))
    api.patch(f"/instances/{created.pk}", {"configuration": {ENABLED: True}})

    ((_, baseline, _),) = announced
    assert baseline.clock == datetime(2019, 1, 1, tzinfo=UTC)
