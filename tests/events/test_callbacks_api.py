"""Registrations and callbacks as clients see them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models.functions import Now

from connectors.change import UPDATED
from events import registration_upkeep
from events.management.commands import registrations as registrations_command
from events.models import Callback, Inbox, Registration, SeenChange
from instances.models import Instance, User
from tests.api_client import Api
from tests.events.desks import CALLBACKS, DEFAULT_TYPES, entries_of, inbox_of, make_desk, types_of
from tests.factories import InstanceFactory, token_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(owner, sandbox) -> Instance:
    return make_desk(owner, sandbox)


@pytest.fixture
def viewer(colleague) -> Api:
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)
    return Api(colleague)


def callback(instance: Instance, *, state: str = Callback.PARKED, body: bytes = b"{}", reason: str = "") -> Callback:
    return Callback.objects.create(instance=instance, method="POST", state=state, body=body, reason=reason)


class TestRegistrations:
    def test_what_is_registered_and_how_callbacks_fare(self, api, desk, sandbox):
        callback(desk)
        callback(desk, state=Callback.WAITING)
        callback(desk, state=Callback.DONE)
        Inbox.objects.update(refused_count=3, last_refused_at=Now(), last_refused_reason="no signature")

        answer = api.get(f"/instances/{desk.pk}/registrations")

        shown, inbox = answer.json(), inbox_of(desk)
        assert answer.status_code == 200
        assert f"{shown['address']}?recordId=" == entries_of(sandbox)[0]["url"]
        assert sorted(one["type"] for one in shown["registrations"]) == DEFAULT_TYPES
        moment = Registration.objects.get(type="ticket").registered_at
        assert moment is not None
        assert shown["registrations"][0] == {
            "type": "ticket",
            "level": "owner",
            "objectId": "1",
            "state": "active",
            "providerId": "1",
            "lastError": "",
            "registeredDate": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "checkedDate": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        assert shown["problem"] == ""
        assert inbox.last_checked_at is not None
        assert shown["lastCheck"] == {"date": inbox.last_checked_at.strftime("%Y-%m-%dT%H:%M:%SZ"), "error": ""}
        assert inbox.last_refused_at is not None
        assert shown["callbacks"] == {
            "waiting": 1,
            "parked": 1,
            "refused": 3,
            "lastRefusedReason": "no signature",
            "lastRefusedDate": inbox.last_refused_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        assert shown["suspectSince"]
        assert shown["suspectReason"]
        assert shown["provenance"] == {"byCallback": 0, "byBoth": 0, "byPollOnly": 0, "lossRate": None}

    def test_the_measured_loss_is_shown(self, api, desk):
        Registration.objects.update(registered_at=Now() - timedelta(hours=3))
        for number, found_by in enumerate(["webhook", "both", "both", "poll"]):
            SeenChange.objects.create(
                instance=desk,
                object_type="contacts",
                object_id=str(number),
                version="1",
                content_hash=b"",
                found_by=found_by,
                event_type=UPDATED,
                seen_at=Now() - timedelta(hours=1),
            )

        shown = api.get(f"/instances/{desk.pk}/registrations").json()["provenance"]

        assert shown == {"byCallback": 1, "byBoth": 2, "byPollOnly": 1, "lossRate": 0.25}

    def test_put_compares_with_the_provider_now(self, api, desk, sandbox):
        sandbox.registrations.delete(1)

        answer = api.put(f"/instances/{desk.pk}/registrations")

        assert types_of(sandbox) == DEFAULT_TYPES
        assert answer.json() == api.get(f"/instances/{desk.pk}/registrations").json()
        assert answer.json()["registrations"][0]["providerId"] == "5"

    def test_put_tells_what_is_wrong(self, api, desk, sandbox):
        sandbox.registrations.delete(1)
        sandbox.behave(path=CALLBACKS, method="POST", status=403)

        shown = api.put(f"/instances/{desk.pk}/registrations").json()

        assert "ticket: " in shown["problem"]
        assert shown["registrations"][0]["state"] == "refused"

    @pytest.mark.parametrize(
        "behaviour, words",
        [
            ({"status": 503}, "(503)"),
            ({"drop": True}, "broke the connection"),
            ({"delay": 1.0}, "did not answer within"),
        ],
    )
    def test_put_tells_that_the_provider_did_not_answer(self, api, desk, sandbox, monkeypatch, behaviour, words):
        monkeypatch.setattr(registration_upkeep.check_now, "__kwdefaults__", {"patience_seconds": 0.5})
        sandbox.behave(path=CALLBACKS, times=None, **behaviour)

        answer = api.put(f"/instances/{desk.pk}/registrations")

        assert answer.status_code == 200
        assert words in answer.json()["lastCheck"]["error"]
        assert answer.json()["lastCheck"]["date"]

    def test_where_there_are_no_callbacks_it_is_empty_and_cannot_be_checked(self, api, owner):
        instance = InstanceFactory.create(user=owner)

        shown = api.get(f"/instances/{instance.pk}/registrations").json()

        assert (shown["address"], shown["registrations"], shown["callbacks"]["refused"]) == (None, [], 0)
        assert api.put(f"/instances/{instance.pk}/registrations").status_code == 400

    def test_a_viewer_looks_without_the_address_and_changes_nothing(self, viewer, desk, sandbox):
        sandbox.requests.clear()

        answer = viewer.get(f"/instances/{desk.pk}/registrations")

        assert answer.json()["address"] is None
        assert token_of(inbox_of(desk)) not in answer.content.decode()
        assert len(answer.json()["registrations"]) == 4
        assert viewer.put(f"/instances/{desk.pk}/registrations").status_code == 403
        assert sandbox.requests == []


class TestCallbacks:
    def test_newest_first_by_state_in_pages(self, api, desk):
        first, second = callback(desk, reason="what is this"), callback(desk, body=b'{"a": "\xff"}')
        callback(desk, state=Callback.DONE)
        path = f"/instances/{desk.pk}/callbacks"

        found = api.get(path, state="parked").json()

        assert [one["id"] for one in found] == [second.pk, first.pk]
        assert found[0]["body"] == '{"a": "\N{REPLACEMENT CHARACTER}"}'
        assert found[1] == {
            "id": first.pk,
            "state": "parked",
            "reason": "what is this",
            "messageId": None,
            "receivedDate": Callback.objects.get(pk=first.pk).received_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "attempts": 0,
            "body": "{}",
        }
        page = api.get(path, state="parked", pageSize="1")
        token = page.headers["Elements-Next-Page-Token"]
        assert [one["id"] for one in api.get(path, state="parked", nextPage=token).json()] == [first.pk]
        assert len(api.get(path).json()) == 3
        assert api.get(path, state="unknown").status_code == 400

    def test_of_a_long_body_the_beginning_is_shown(self, api, desk):
        callback(desk, body=b"x" * 5000)

        (found,) = api.get(f"/instances/{desk.pk}/callbacks").json()

        assert found["body"] == "x" * 4096

    def test_parked_ones_are_tried_again(self, api, desk, owner, sandbox):
        parked, refused = callback(desk, reason="why"), callback(desk, state=Callback.REFUSED)
        others = callback(make_desk(owner, sandbox))

        answer = api.call("PUT", f"/instances/{desk.pk}/callbacks", state="parked")

        assert (answer.status_code, answer.headers["Elements-Total-Count"]) == (200, "1")
        states = dict(Callback.objects.values_list("pk", "state"))
        assert states == {parked.pk: "waiting", refused.pk: "refused", others.pk: "parked"}

    @pytest.mark.parametrize("state", ["", "refused", "done", "all"])
    def test_others_cannot_be_tried_again(self, api, desk, state):
        callback(desk, state=Callback.REFUSED)

        assert api.call("PUT", f"/instances/{desk.pk}/callbacks", state=state).status_code == 400
        assert Callback.objects.get().state == Callback.REFUSED

    def test_a_viewer_sees_no_bodies_and_retries_nothing(self, viewer, desk):
        callback(desk, body=b'{"canary": 1}')
        path = f"/instances/{desk.pk}/callbacks"

        assert b"canary" not in viewer.get(path).content
        assert viewer.call("PUT", path, state="parked").status_code == 403
        assert Callback.objects.get().state == Callback.PARKED


@pytest.mark.parametrize("path", ["registrations", "callbacks"])
def test_a_stranger_finds_nothing(stranger, desk, sandbox, path):
    callback(desk)
    sandbox.requests.clear()

    for method in ("GET", "PUT"):
        answer = Api(stranger).through(desk).call(method, f"/instances/{desk.pk}/{path}", state="parked")
        assert answer.status_code == 404
    assert Api(None).get(f"/instances/{desk.pk}/{path}").status_code == 401
    assert (sandbox.requests, Callback.objects.get().state) == ([], Callback.PARKED)


@pytest.fixture
def hurry(monkeypatch) -> None:
    monkeypatch.setattr(registrations_command, "PATIENCE_SECONDS", 0.5)


@pytest.fixture
def worker() -> Iterator[None]:
    """Somebody who does what is due, as the sweeps of the stack do."""
    is_over = threading.Event()

    def work() -> None:
        try:
            while not is_over.wait(0.05):
                registration_upkeep.sweep(is_stopping=is_over.is_set)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    is_over.set()
    thread.join()


class TestCommands:
    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command(*arguments, stdout=out)
        return out.getvalue()

    def test_registrations_are_a_table(self, desk):
        shown = self.run("registrations", "--instance", str(desk.pk))

        lines = [line.split() for line in shown.splitlines()]
        assert lines[0][:6] == ["instance", "type", "level", "object", "id", "state"]
        assert [line[:6] for line in lines[1:3]] == [
            [str(desk.pk), "ticket", "owner", "1", "active", "1"],
            [str(desk.pk), "company", "owner", "1", "active", "2"],
        ]
        assert token_of(inbox_of(desk)) not in shown

    def test_reconcile_has_a_worker_make_the_provider_agree(self, desk, sandbox, settings, worker):
        sandbox.registrations.delete(1)

        shown = [line.split()[:6] for line in self.run("registrations", "--reconcile").splitlines()]

        assert shown[1] == [str(desk.pk), "ticket", "owner", "1", "active", "5"]
        assert types_of(sandbox) == DEFAULT_TYPES

    def test_reconcile_asks_no_provider_itself_since_its_environment_may_be_another(
        self, desk, sandbox, settings, hurry
    ):
        before = entries_of(sandbox)
        sandbox.requests.clear()
        settings.PUBLIC_URL = "http://127.0.0.3:8000"

        errors = StringIO()
        call_command("registrations", "--reconcile", stdout=StringIO(), stderr=errors)

        assert (sandbox.requests, entries_of(sandbox)) == ([], before)
        assert f"{desk.pk}: the provider does not agree yet: no worker has finished with it" in errors.getvalue()

    def test_reconcile_tells_why_a_provider_does_not_agree(self, desk, sandbox, worker, hurry):
        sandbox.behave(path=CALLBACKS, status=503, times=None)

        errors = StringIO()
        call_command("registrations", "--reconcile", stdout=StringIO(), stderr=errors)

        assert "the provider does not agree yet: " in errors.getvalue()
        assert "503" in errors.getvalue()

    def test_what_is_missing_is_said(self, desk, sandbox, worker):
        sandbox.registrations.delete(1)
        sandbox.behave(path=CALLBACKS, method="POST", status=403)

        assert f"{desk.pk}: Not as wanted at the provider: ticket" in self.run("registrations", "--reconcile")

    def test_callbacks_are_listed_and_tried_again(self, desk):
        of_desk = ("callbacks", "--instance", str(desk.pk))
        assert self.run(*of_desk) == "none\n"
        callback(desk, reason="what is this", body=b"canary")

        listed = self.run(*of_desk, "--state", "parked")
        assert listed.splitlines()[0].split() == ["id", "received", "state", "reason"]
        assert "what is this" in listed
        assert "canary" not in listed
        assert self.run(*of_desk, "--state", "parked", "--retry") == "1 callbacks are tried again\n"
        assert Callback.objects.get().state == Callback.WAITING

    @pytest.mark.parametrize("arguments", [("registrations",), ("callbacks", "--instance", "1")])
    def test_without_a_database_there_is_a_sentence(self, arguments):
        def fail(*_: object) -> None:
            raise OperationalError("nobody there")

        with connection.execute_wrapper(fail), pytest.raises(CommandError, match="start `make up` first"):
            self.run(*arguments)

    def test_what_is_not_there_is_said(self, desk):
        for arguments in (
            ("registrations", "--instance", "0"),
            ("callbacks", "--instance", "0"),
            ("callbacks", "--instance", str(desk.pk), "--state", "done", "--retry"),
        ):
            with pytest.raises(CommandError):
                self.run(*arguments)
