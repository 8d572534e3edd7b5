"""Registrations and callbacks at the console: what is wrong, why, and what people do about it."""

from __future__ import annotations

from copy import copy

import pytest
from django.db.models.functions import Now

from events.models import Callback, Inbox, Registration
from instances.models import AuditEntry, Instance, User
from tests.events.conftest import make_instance
from tests.events.console.signed_in import console, noted
from tests.events.desks import CALLBACKS, DEFAULT_TYPES, inbox_of, make_desk, switch, types_of
from tests.factories import token_of

pytestmark = pytest.mark.django_db(transaction=True)
REGISTRATIONS, LIST = "/console/events/registration/", "/console/events/callback/"


@pytest.fixture
def desk(owner, sandbox) -> Instance:
    return make_desk(owner, sandbox)


def parked(instance: Instance, *, body: bytes = b"{}", reason: str = "What is a Gadget?") -> Callback:
    return Callback.objects.create(instance=instance, method="POST", state="parked", body=body, reason=reason)


class TestRegistrations:
    def test_the_tab_tells_what_is_registered_and_how_callbacks_fare(self, owner, desk):
        parked(desk)
        Inbox.objects.update(
            refused_count=3, last_refused_at=Now(), last_refused_reason="no <b>signature</b>", suspect_at=None
        )

        answer = console(owner).get(REGISTRATIONS, {"inbox__instance": desk.pk})

        page = answer.content.decode()
        for words in ("All tickets", "All companies", "All time entries", "As wanted", "no &lt;b&gt;signature"):
            assert words in page
        assert f"?instance={desk.pk}&amp;state__exact=parked" in page
        assert answer.context["cl"].result_count == len(DEFAULT_TYPES)
        assert token_of(inbox_of(desk)) not in page

    def test_registering_again_mends_what_the_provider_lost(self, owner, desk, sandbox):
        client, path = console(owner), f"{REGISTRATIONS}of/{desk.pk}/check/"
        sandbox.registrations.delete(1)
        sandbox.behave(path=CALLBACKS, method="POST", status=403, times=1)

        refused = client.post(path, follow=True).content.decode()
        assert "ticket: " in refused
        assert "Incomplete" in refused
        assert [
            row.type for row in client.get(REGISTRATIONS, {"state__exact": "refused"}).context["cl"].result_list
        ] == ["ticket"]
        assert "everything as it is wanted" in client.post(path, follow=True).content.decode()
        assert types_of(sandbox) == DEFAULT_TYPES
        assert noted() == ["had registrations compared"] * 2

    def test_the_address_is_shown_to_whoever_asks_for_it(self, owner, colleague, stranger, desk):
        path, token = f"{REGISTRATIONS}of/{desk.pk}/address/", token_of(inbox_of(desk))
        client = console(owner)

        for headers in ({}, {"HX-Request": "true"}):
            answer = client.post(path, headers=headers)
            assert f"/{token}?recordId=" in answer.content.decode()
            assert "no-store" in answer["Cache-Control"]
        assert noted() == ["looked at the address for callbacks"] * 2
        assert not AuditEntry.objects.filter(detail__contains=token).exists()
        assert client.get(path).status_code == 405

        viewer = console(colleague, role=User.VIEWER)
        page = viewer.get(REGISTRATIONS, {"inbox__instance": desk.pk}).content.decode()
        assert "register by hand" not in page
        assert "Register again now" not in page
        assert [viewer.post(path).status_code, viewer.post(path.replace("address", "check")).status_code] == [403, 403]
        assert console(stranger).post(path).status_code == 404
        assert len(noted()) == 2

    def test_every_row_has_a_page_without_the_address(self, owner, desk):
        client, token = console(owner), token_of(inbox_of(desk))

        for model, row in (("inbox", inbox_of(desk)), ("registration", Registration.objects.earliest("pk"))):
            page = client.get(f"/console/events/{model}/{row.pk}/change/")
            assert page.status_code == 200
            assert token not in page.content.decode()
            assert client.post(f"/console/events/{model}/{row.pk}/change/", {}).status_code == 403
            assert client.get(f"/console/events/{model}/{row.pk}/delete/").status_code == 403

    def test_a_lost_key_is_named(self, owner, desk, settings):
        settings.FERNET_KEYS = ["vGgpVOqY0T1hVZMAUYrhZWeqS2DP9ziUmZ3zQsCTGhg="]

        answer = console(owner).post(f"{REGISTRATIONS}of/{desk.pk}/address/", headers={"HX-Request": "true"})

        assert "FERNET_KEYS" in answer.content.decode()

    def test_an_instance_that_is_polled_says_so(self, owner, sink):
        instance = make_instance(owner, sink.url)
        client = console(owner)

        page = client.get(REGISTRATIONS, {"inbox__instance": instance.pk}).content.decode()

        assert "changes of this instance are found by polling" in page
        check = client.post(f"{REGISTRATIONS}of/{instance.pk}/check/", follow=True)
        assert "has no callbacks" in check.content.decode()


class TestCallbacks:
    def test_what_is_parked_says_why_and_is_tried_again(self, owner, desk):
        row, client = parked(desk, body=b'{"Entity": "<script>alert(1)</script>"}'), console(owner)

        page = client.get(f"{LIST}{row.pk}/change/").content.decode()
        assert "What is a Gadget?" in page
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert(1)" not in page
        answer = client.post(f"{LIST}{row.pk}/try/", follow=True).content.decode()
        assert "It is being tried again" in answer
        row.refresh_from_db()
        assert (row.state, row.reason) == (Callback.WAITING, "")
        assert "not parked any more" in client.post(f"{LIST}{row.pk}/drop/", follow=True).content.decode()
        subject = f"callback {row.pk}"
        assert noted()[:2] == [
            f"looked at the body of a callback: {subject}",
            f"had a callback tried again: {subject}",
        ]

    def test_what_nobody_wants_is_dropped_with_its_body(self, owner, desk):
        row, client = parked(desk, body=b"canary"), console(owner)

        page = client.post(f"{LIST}{row.pk}/drop/", follow=True).content.decode()

        assert "it becomes no event" in page
        assert "canary" not in page
        row.refresh_from_db()
        assert (row.state, bytes(row.body)) == (Callback.DONE, b"")
        assert noted() == [f"dropped a callback: callback {row.pk}"]

    def test_where_nobody_listens_it_stays_parked(self, owner, desk):
        row, client = parked(desk), console(owner)
        switch(desk, on=False)

        assert "disabled>Try again" in client.get(f"{LIST}{row.pk}/change/").content.decode()
        assert "It stays parked" in client.post(f"{LIST}{row.pk}/try/", follow=True).content.decode()
        row.refresh_from_db()
        assert row.state == Callback.PARKED

    def test_several_are_tried_or_dropped_at_once(self, owner, desk):
        rows, client = [parked(desk) for _ in range(3)], console(owner)
        done = Callback.objects.create(instance=desk, method="POST", state="done", body=b"")

        def act(action: str, *chosen: Callback) -> str:
            sent = {"action": action, "_selected_action": [row.pk for row in chosen]}
            return client.post(LIST, sent, follow=True).content.decode()

        assert "2 parked callbacks are tried again" in act("try_again", rows[0], rows[1], done)
        assert "1 parked callback is dropped" in act("drop", rows[2], done)
        assert Callback.objects.filter(state=Callback.WAITING).count() == 2
        assert noted() == ["had a callback tried again: 2 callbacks", f"dropped a callback: callback {rows[2].pk}"]

    def test_very_many_are_taken_some_at_a_time_and_with_few_queries(
        self, owner, desk, monkeypatch, django_assert_max_num_queries
    ):
        monkeypatch.setattr("events.console.callbacks.MOST_AT_ONCE", 60)
        row = Callback(instance=desk, method="POST", state="parked", body=b"")
        Callback.objects.bulk_create(copy(row) for _ in range(70))
        client, sent = console(owner), {"action": "drop", "select_across": "1", "_selected_action": [0]}

        with django_assert_max_num_queries(25):
            client.post(LIST, sent)

        assert Callback.objects.filter(state=Callback.PARKED).count() == 10
        assert "60 are taken at a time" in client.get(LIST).content.decode()
        assert noted() == ["dropped a callback: 60 callbacks"]

    def test_a_stranger_finds_nothing_and_a_viewer_sees_no_body(self, owner, colleague, stranger, desk):
        row = parked(desk, body=b"canary")
        client = console(stranger)
        for path in (LIST, REGISTRATIONS, "/console/events/inbox/"):
            assert client.get(path).context["cl"].result_count == 0
        assert client.get(LIST, {"instance": desk.pk}).status_code == 404
        paths = [f"{LIST}{row.pk}/{name}/" for name in ("try", "drop")]
        assert client.get(f"{LIST}{row.pk}/change/").status_code == 404
        assert [client.post(path).status_code for path in paths] == [404, 404]

        viewer = console(colleague, role=User.VIEWER)
        page = viewer.get(f"{LIST}{row.pk}/change/").content.decode()
        assert "Your role does not let you see what is in it" in page
        assert "canary" not in page
        assert 'id="callback-try"' not in page
        assert [viewer.post(path).status_code for path in paths] == [403, 403]
        viewer.post(LIST, {"action": "drop", "_selected_action": [row.pk]})
        assert console(owner).get(paths[0]).status_code == 405
        assert console(owner).post(f"{LIST}{row.pk}/change/", {}).status_code == 403
        assert console(owner).get(f"{LIST}{row.pk}/delete/").status_code == 403
        row.refresh_from_db()
        assert row.state == Callback.PARKED
        assert noted() == []

    def test_lists_take_few_queries_however_long(self, owner, desk, django_assert_max_num_queries):
        for number in range(30):
            parked(desk, body=b"{}" * 10_000, reason=f"reason {number}")
        inbox = inbox_of(desk)
        Registration.objects.bulk_create(
            Registration(inbox=inbox, type="ticket", level="board", object_id=str(number)) for number in range(30)
        )
        client = console(owner)

        for path in (LIST, f"{LIST}?instance={desk.pk}", REGISTRATIONS, f"{REGISTRATIONS}?inbox__instance={desk.pk}"):
            with django_assert_max_num_queries(18):
                assert client.get(path).status_code == 200
        assert "Tickets of board 29" in client.get(REGISTRATIONS).content.decode()
