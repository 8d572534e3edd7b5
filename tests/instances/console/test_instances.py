"""The list of instances, as owners, viewers and superusers see it."""

from __future__ import annotations

from django.test import Client

from instances.console import bulk_actions
from instances.models import AuditEntry, Instance
from tests.factories import InstanceFactory

LIST = "/console/instances/instance/"


def names(console: Client, **query: str) -> set[str]:
    return {one.name for one in console.get(LIST, query).context["cl"].result_list}


def chosen(console: Client, action: str, *instances: Instance, **more: str) -> str:
    sent = {"action": action, "_selected_action": [one.pk for one in instances], **more}
    return console.post(LIST, sent, follow=True).content.decode()


def noted() -> set[str]:
    """What the console says that was done."""
    return set(AuditEntry.objects.filter(through="console").values_list("action", flat=True))


def test_people_see_their_own_organization_only(console, owner, stranger):
    own, foreign = InstanceFactory.create(user=owner), InstanceFactory.create(user=stranger)

    page = console.get(LIST).content.decode()

    assert own.name in page
    assert foreign.name not in page
    assert stranger.email not in console.get("/console/instances/user/").content.decode()
    assert stranger.organization.name not in console.get("/console/instances/organization/").content.decode()
    chosen(console, "switch_events_on", foreign)
    chosen(console, "delete_selected", foreign, count="1")
    foreign.refresh_from_db()
    assert not foreign.is_events_enabled
    owner.is_superuser = True
    owner.save()
    assert foreign.organization.name in console.get(LIST).content.decode()


def test_a_row_says_state_element_tags_and_has_the_switch(console, viewer, owner):
    InstanceFactory.create(user=owner, name="Acme", tags=["Acme", "gold", "<b>bold</b>"], registration_problem="no")

    page = console.get(LIST).content.decode()

    assert "Registrations incomplete" in page
    assert "ConnectWise REST" in page
    assert '<a class="instance-tag" href="?tag=gold">gold</a>' in page
    assert "<b>bold</b>" not in page
    assert 'role="switch"' in page
    assert f'href="{LIST}add/"' in page
    seen_by_viewer = viewer.get(LIST).content.decode()
    assert "ConnectWise REST" in seen_by_viewer
    assert 'role="switch"' not in seen_by_viewer
    assert "switch_events_on" not in seen_by_viewer
    assert f'href="{LIST}add/"' not in seen_by_viewer


def test_without_instances_the_list_says_what_one_is_and_how_to_make_one(console, viewer):
    assert "Create instance" in console.get(LIST).content.decode()
    page = viewer.get(LIST).content.decode()
    assert "No instances yet" in page
    assert "Create instance" not in page


def test_filters_and_search_find_instances(console, owner):
    InstanceFactory.create(user=owner, name="Ready", sent={"event.notification.enabled": True}, tags=["gold"])
    InstanceFactory.create(user=owner, name="Refused", is_valid=False, tags=[])
    InstanceFactory.create(user=owner, name="Refused, too", is_valid=False, is_disabled=True, tags=[])
    InstanceFactory.create(user=owner, name="Disabled", is_disabled=True, tags=["gold"])
    InstanceFactory.create(
        user=owner, name="Incomplete", element_key="connectwisehd", registration_problem="refused", tags=["silver"]
    )

    for query, found in (
        ({"state": "ready"}, {"Ready"}),
        ({"state": "attention"}, {"Refused", "Refused, too"}),
        ({"state": "disabled"}, {"Disabled"}),
        ({"state": "incomplete"}, {"Incomplete"}),
        ({"state": "nonsense", "element": "connectwisecrmrest"}, {"Ready", "Refused", "Refused, too", "Disabled"}),
        ({"element": "connectwisehd"}, {"Incomplete"}),
        ({"events": "on"}, {"Ready"}),
        ({"events": "off", "state": "disabled"}, {"Disabled"}),
        ({"tag": "gold"}, {"Ready", "Disabled"}),
        ({"tag": "go"}, set()),
        ({"tag": "\x00"}, set()),
        ({"element": "\x00"}, set()),
        ({"q": "REFUSED, T"}, {"Refused, too"}),
        ({"q": "silv"}, {"Incomplete"}),
    ):
        assert (query, names(console, **query)) == (query, found)


def test_an_instance_is_found_by_its_id(console, owner):
    instance = InstanceFactory.create(user=owner, name="Found")
    InstanceFactory.create(user=owner, name="Not found")

    assert names(console, q=str(instance.pk)) == {"Found"}


def test_a_filter_in_the_url_answers_no_guess_at_hidden_columns(console):
    for question in (
        "user/?password__startswith=md5",
        "user/?secret_encrypted__startswith=gAAA",
        "instance/?configuration_encrypted__startswith=gAAA",
        "instance/?organization__secret_hash__startswith=a",
    ):
        assert console.get(f"/console/instances/{question}").status_code == 400


def test_a_list_takes_the_same_queries_for_many_rows_and_reads_no_secrets(
    console, owner, settings, django_assert_max_num_queries
):
    InstanceFactory.create_batch(3, user=owner)
    with django_assert_max_num_queries(50) as few:
        console.get(LIST)
    InstanceFactory.create_batch(27, user=owner)
    settings.FERNET_KEYS = ["w0R2Vbkq1fGm1k5Xh1l5t1nF1kz0J3m7Y8a9b0c1d2E="]  # none that any of this is encrypted with

    with django_assert_max_num_queries(len(few)):
        assert len(console.get(LIST).context["cl"].result_list) == 30


def test_several_are_switched_at_once_and_one_that_fails_holds_up_none_of_the_others(console, created, owner, sandbox):
    unreachable = InstanceFactory.create(user=owner, name="Nobody home")

    page = chosen(console, "switch_events_on", created, unreachable)

    created.refresh_from_db()
    unreachable.refresh_from_db()
    assert (created.is_events_enabled, unreachable.is_events_enabled) == (True, False)
    assert "Events are on: 1 instance." in page
    assert "Nobody home: " in page
    assert "baseUrl" in page
    assert noted() == {"switched events on"}
    asked_before = len(sandbox.requests)
    for action in ("switch_events_on", "enable"):
        chosen(console, action, created)
    assert len(sandbox.requests) == asked_before
    assert AuditEntry.objects.filter(through="console").count() == 1  # nobody did what was so already
    chosen(console, "switch_events_off", created)
    created.refresh_from_db()
    assert not created.is_events_enabled


def test_several_are_disabled_and_deleted_once_their_number_was_typed(console, owner):
    both = InstanceFactory.create_batch(2, user=owner)

    asked = chosen(console, "disable", *both)
    assert "Disable 2 instances?" in asked
    assert both[1].name in asked
    assert "That is not their number" in chosen(console, "delete_selected", *both, count="1")
    assert Instance.objects.filter(is_disabled=False).count() == 2

    chosen(console, "disable", *both, count="2")
    assert Instance.objects.filter(is_disabled=True).count() == 2
    assert "Enabled: 1 instance." in chosen(console, "enable", both[0])
    assert "Deleted: 2 instances." in chosen(console, "delete_selected", *both, count=" 2 ")
    assert not Instance.objects.exists()
    assert noted() == {*("disabled the instance", "enabled the instance", "deleted the instance")}


def test_ids_that_are_none_choose_nothing(console, owner):
    instance = InstanceFactory.create(user=owner)
    sent = {"action": "disable", "_selected_action": ["x", "\x00", "9" * 30, "9" * 5000, "٣"], "count": "0"}

    assert "Items must be selected" in console.post(LIST, sent, follow=True).content.decode()
    instance.refresh_from_db()
    assert not instance.is_disabled


def test_slow_providers_are_not_asked_for_ever(owner):
    both = InstanceFactory.create_batch(2, user=owner)

    assert list(bulk_actions.begun_within(60, both)) == both
    assert list(bulk_actions.begun_within(0, both)) == both[:1]


def test_a_viewer_changes_nothing_from_the_list(viewer, created):
    for action in ("switch_events_on", "disable", "enable", "delete_selected"):
        chosen(viewer, action, created, count="1")

    before = created.updated_at
    created.refresh_from_db()
    assert created.updated_at == before
    assert not noted()


def test_filters_that_are_set_are_named_and_can_be_taken_off_one_by_one(console, owner):
    page = console.get(LIST, {"state": "ready", "events": "on", "tag": "gold"}).content.decode()

    assert 'href="?state=ready&amp;tag=gold" aria-label="Remove the filter events: On"' in page
    assert "No instance matches" in page
    assert "No instances yet" not in page
