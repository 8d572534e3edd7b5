"""What the receiver stores and answers, for every form of address and every reason not to store."""

from __future__ import annotations

import re
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import orjson
import pytest
import redis
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.test import Client, RequestFactory

from events import intake
from events.models import Callback, Inbox
from events.receive import receive
from tests.factories import InboxFactory, InstanceFactory, token_of
from tests.waiting import until

pytestmark = pytest.mark.django_db

BASE = "/elements/api-v2/events"
BODY = Path("tests/payloads/connectwise/contact_updated.json").read_bytes()
SIGNED = {"X-Content-Signature": "pqbKNiEqVc975ctY"}


@pytest.fixture
def inbox(owner) -> Inbox:
    return InboxFactory.create(instance__user=owner)


def url(inbox: Inbox, behind: str = "?recordId=7601&action=updated") -> str:
    return f"{BASE}/connectwisehd/{token_of(inbox)}{behind}"


def post(path: str, body: bytes = BODY, headers: dict[str, str] = SIGNED, content_type: str = "application/json"):
    return Client().post(path, data=body, content_type=content_type, headers=headers)


def waiting(**wanted) -> list[Callback]:
    return list(Callback.objects.filter(state=Callback.WAITING, **wanted).order_by("pk"))


def statements(work, path: Path) -> list[str]:
    """The names of the prepared statements that `work` has carried out; what is not prepared has an empty one."""
    connection.ensure_connection()
    pgconn = connection.connection.pgconn
    with path.open("wb") as trace:
        pgconn.trace(trace.fileno())
        try:
            work()
        finally:
            pgconn.untrace()
    return re.findall(r"\tF\t\d+\t(?:Bind\t \S* (\S+)|Query)", path.read_text())


class TestStoring:
    def test_a_callback_is_kept_as_it_came_and_answered_with_an_empty_object(self, inbox):
        answer = post(url(inbox), content_type="application/json; charset=utf-8")

        assert (answer.status_code, answer.json(), answer["Content-Type"]) == (200, {}, "application/json")
        (kept,) = waiting()
        assert bytes(kept.body) == BODY
        assert kept.instance == inbox.instance
        assert kept.method == "POST"
        assert kept.query == "recordId=7601&action=updated"
        assert kept.content_type == "application/json; charset=utf-8"
        assert kept.signature == SIGNED["X-Content-Signature"]
        assert (kept.reason, kept.message_id, kept.attempts_made, kept.epoch) == ("", "", 0, 0)

    @pytest.mark.parametrize(
        "behind, query",
        [
            ("", ""),
            ("/", ""),
            ("?7601&action=updated", "7601&action=updated"),
            ("&recordId=7601&action=updated", "recordId=7601&action=updated"),
            ("&recordId=?7601&action=updated", "recordId=&7601&action=updated"),
            ("%3F7601&action=updated", "7601&action=updated"),
            ("/further/segments?recordId=7601", "recordId=7601"),
        ],
    )
    def test_whatever_the_provider_makes_of_our_url_arrives(self, inbox, behind, query):
        assert post(url(inbox, behind)).status_code == 200
        assert [kept.query for kept in waiting(instance=inbox.instance)] == [query]

    def test_an_instance_can_be_named_instead(self, inbox):
        number = str(inbox.instance_id)
        in_base64 = b64encode(number.encode()).decode()

        for name in (number, in_base64, in_base64.rstrip("="), in_base64.replace("=", "%3D")):
            assert post(f"{BASE}/connectwisehd/{name}").status_code == 200
        assert len(waiting(instance=inbox.instance)) == 4

    def test_a_header_reaches_several_instances_and_passes_over_unknown_ones(self, inbox):
        other, third = InboxFactory.create(), InboxFactory.create()
        listed = f"{inbox.instance_id}, 999999, {other.instance_id},nonsense"

        assert post(f"{BASE}/connectwisehd", headers=SIGNED | {"Element-Instances": listed}).status_code == 200
        assert len(waiting(instance=inbox.instance)) == len(waiting(instance=other.instance)) == 1
        assert waiting(instance=third.instance) == []

    def test_a_header_may_name_instances_in_base64(self, inbox):
        headers = SIGNED | {"Element-Instances": b64encode(str(inbox.instance_id).encode()).decode()}

        assert post(f"{BASE}/connectwisehd", headers=headers).status_code == 200
        assert len(waiting(instance=inbox.instance)) == 1

    def test_one_request_reaches_so_many_instances_and_says_when_there_were_more(self, inbox, caplog):
        inboxes = [inbox, *InboxFactory.create_batch(20)]
        listed = [str(one.instance_id) for one in inboxes]

        assert post(f"{BASE}/connectwisehd", headers=SIGNED | {"Element-Instances": listed[0]}).status_code == 200
        assert caplog.messages == []
        assert (
            post(f"{BASE}/connectwisehd", headers=SIGNED | {"Element-Instances": ",".join(listed)}).status_code == 200
        )
        assert "callback reaches no further instances" in caplog.messages
        assert len(waiting()) == 1 + 20

    def test_what_is_kept_for_several_may_not_be_long(self, inbox):
        other = InboxFactory.create()
        both = SIGNED | {"Element-Instances": f"{inbox.instance_id},{other.instance_id}"}
        one = SIGNED | {"Element-Instances": str(inbox.instance_id)}
        long = b"x" * (64 * 1024 + 1)

        assert [post(f"{BASE}/connectwisehd", long, headers=headers).status_code for headers in (both, SIGNED)] == [
            413
        ] * 2
        assert waiting() == []
        assert post(f"{BASE}/connectwisehd", long[1:], headers=both).status_code == 200
        assert post(f"{BASE}/connectwisehd", long, headers=one).status_code == 200
        assert post(f"{BASE}/connectwisehd/{inbox.instance_id}", long).status_code == 200

    def test_a_body_finds_every_open_inbox_of_the_account_that_it_names(self, inbox):
        account = {
            "helpdesk.connectwise.server.url": "sandbox-na.myconnectwise.net",
            "helpdesk.connectwise.company": "acme",
        }
        first, second = (InboxFactory.create(instance__sent=account) for _ in range(2))
        closed = InboxFactory.create(instance__sent=account, is_open=False)

        assert post(f"{BASE}/connectwisehd").status_code == 200
        assert len(waiting(instance=first.instance)) == len(waiting(instance=second.instance)) == 1
        assert waiting(instance__in=[inbox.instance, closed.instance]) == []

    def test_who_has_an_account_is_not_told_to_strangers(self, inbox, settings):
        settings.CALLBACKS_WAITING_LIMIT = 20
        InboxFactory.create(
            instance__sent={
                "helpdesk.connectwise.server.url": "sandbox-na.myconnectwise.net",
                "helpdesk.connectwise.company": "acme",
            }
        )
        bodies = [BODY, BODY, BODY.replace(b'"acme"', b'"emca"'), b"not JSON at all", b""]

        answers = [post(f"{BASE}/connectwisehd", body) for body in bodies]

        assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"{}")] * 5
        assert len(waiting()) == 1

    @pytest.mark.parametrize("accepts_unsigned", [False, True])
    def test_a_browser_or_a_health_check_is_no_callback(self, inbox, accepts_unsigned):
        Inbox.objects.update(accepts_unsigned=accepts_unsigned)

        for behind in ("", "?recordId=", "/"):
            for answer in (Client().get(url(inbox, behind)), post(url(inbox, behind), b"", headers={})):
                assert (answer.status_code, answer.json()) == (200, {})
        assert Client().get(f"{BASE}/connectwisehd/{'A' * 43}").status_code == 404

        inbox.refresh_from_db()
        assert inbox.refused_count == Callback.objects.count() == 0

    def test_what_has_no_body_is_refused_or_passed_over_where_unsigned_ones_are_taken(self, inbox):
        trusting = InboxFactory.create(accepts_unsigned=True)

        for one in (inbox, trusting):
            assert Client().get(url(one), headers=SIGNED).status_code == 200
            assert post(url(one), b"", headers={}).status_code == 200

        assert Callback.objects.count() == 0
        assert list(Inbox.objects.order_by("pk").values_list("refused_count", flat=True)) == [2, 0]

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
    def test_other_methods_are_not_for_callbacks(self, inbox, method):
        answer = Client().generic(method, url(inbox), BODY, headers=SIGNED)

        assert answer.status_code == 405
        assert answer["Allow"] == "GET, POST"
        assert waiting() == []

    def test_nobody_has_to_sign_in_and_no_cookie_is_set(self, inbox):
        answer = Client(enforce_csrf_checks=True).post(url(inbox), BODY, "application/json", headers=SIGNED)

        assert answer.status_code == 200
        assert answer.cookies == {}


class TestNobody:
    @pytest.mark.parametrize(
        "path",
        [
            "/connectwisehd/999999",
            "/connectwisehd/OTk5OTk5",
            "/connectwisehd/nobody",
            "/connectwisehd/0",
            "/connectwisehd/9223372036854775808",
            "/connectwisehd/" + "A" * 43,
            "/connectwisehd/" + "A" * 5000,
            "/connectwisehd/%00",
            "/connectwisehd/%FF%FE",
            "/connectwisecrmrest/1",
            "/nothing/1",
            "/nothing",
            "/",
        ],
    )
    def test_what_is_not_ours_is_not_found_and_leaves_nothing(self, inbox, path):
        answer = post(BASE + path)

        assert answer.status_code == 404
        assert set(answer.json()) == {"requestId", "message"}
        assert Callback.objects.count() == 0

    def test_a_token_belongs_to_its_element(self, inbox):
        assert post(f"{BASE}/connectwisecrmrest/{token_of(inbox)}").status_code == 404
        Inbox.objects.update(element_key="another")
        assert post(url(inbox)).status_code == 404
        assert post(f"{BASE}/connectwisehd/{inbox.instance_id}").status_code == 404
        assert Callback.objects.count() == 0

    def test_a_token_that_reads_as_an_instance_is_not_taken_for_one(self, inbox):
        for token in (str(inbox.instance_id).zfill(43), b64encode(str(inbox.instance_id).zfill(32).encode()).decode()):
            assert post(f"{BASE}/connectwisehd/{token}").status_code == 404
        assert Callback.objects.count() == 0

    def test_a_polling_instance_has_no_address(self, owner):
        instance = InstanceFactory.create(user=owner)

        assert post(f"{BASE}/connectwisecrmrest/{instance.pk}").status_code == 404
        assert post(f"{BASE}/connectwisehd/{instance.pk}").status_code == 404

    def test_a_wrong_token_costs_the_same_one_statement_as_the_right_one(self, inbox, tmp_path):
        post(url(inbox))  # prepares it
        right = statements(lambda: post(url(inbox)), tmp_path / "right")
        wrong = statements(lambda: post(f"{BASE}/connectwisehd/{'A' * 43}"), tmp_path / "wrong")

        assert len(right) == 1
        assert right == wrong != [""]
        assert Callback.objects.count() == 2


class TestRefusing:
    def test_a_callback_without_a_signature_is_counted_and_not_kept(self, inbox):
        for _ in range(2):
            answer = post(url(inbox), headers={})
            assert (answer.status_code, answer.json()) == (200, {})

        inbox.refresh_from_db()
        assert inbox.refused_count == 2
        assert inbox.last_refused_at is not None
        assert "x-content-signature" in inbox.last_refused_reason
        assert "event.callback.unsigned to true" in inbox.last_refused_reason
        assert Callback.objects.count() == 0

    def test_an_inbox_that_takes_unsigned_ones_takes_them(self, inbox):
        Inbox.objects.update(accepts_unsigned=True)

        assert post(url(inbox), headers={}).status_code == 200
        assert [kept.signature for kept in waiting()] == [""]
        inbox.refresh_from_db()
        assert inbox.refused_count == 0

    @pytest.mark.parametrize("columns", [{"is_open": False}, {"is_open": False, "instance": None}])
    def test_a_closed_inbox_answers_like_an_open_one_and_drops_what_comes(self, inbox, columns):
        Inbox.objects.update(**columns)

        for headers in (SIGNED, {}):
            answer = post(url(inbox), headers=headers)
            assert (answer.status_code, answer.json()) == (200, {})

        inbox.refresh_from_db()
        assert inbox.refused_count == 0
        assert Callback.objects.count() == 0

    def test_a_body_may_be_as_long_as_the_limit_and_not_a_byte_longer(self, inbox, settings):
        settings.CALLBACK_BODY_LIMIT = 2000

        assert post(url(inbox), b"x" * 2000).status_code == 200
        answer = post(url(inbox), b"x" * 2001)

        assert answer.status_code == 413
        assert "2000 bytes" in answer.json()["message"]
        assert [len(kept.body) for kept in waiting()] == [2000]

    def test_the_limit_of_the_api_is_not_that_of_callbacks(self, inbox, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

        assert post(url(inbox)).status_code == 200

    def test_when_too_many_wait_the_provider_is_asked_to_come_again(self, inbox, settings):
        settings.CALLBACKS_WAITING_LIMIT = 3
        answers = [post(url(inbox)) for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1]["Retry-After"] == "2"
        assert set(answers[-1].json()) == {"requestId", "message"}
        assert len(waiting()) == 3

        Callback.objects.filter(pk=waiting()[0].pk).update(state=Callback.DONE)
        assert post(url(inbox)).status_code == 200

    def test_one_that_is_full_does_not_keep_the_others_from_theirs(self, inbox, settings):
        settings.CALLBACKS_WAITING_LIMIT = 1
        other = InboxFactory.create()
        headers = SIGNED | {"Element-Instances": f"{inbox.instance_id},{other.instance_id}"}
        post(url(inbox))

        assert post(f"{BASE}/connectwisehd", headers=headers).status_code == 429
        assert len(waiting(instance=inbox.instance)) == len(waiting(instance=other.instance)) == 1
        assert post(url(other)).status_code == 429

    def test_counting_what_waits_is_done_before_the_limit_is_passed_however_many_come(self, inbox, settings):
        settings.CALLBACKS_WAITING_LIMIT = 40

        assert [post(url(inbox)).status_code for _ in range(42)] == [200] * 40 + [429] * 2

    def test_a_stranger_at_the_guessable_address_does_not_fill_up_the_inbox(self, inbox, settings):
        settings.CALLBACKS_WAITING_LIMIT = 60
        guessable = f"{BASE}/connectwisehd/{inbox.instance_id}"

        assert [post(guessable, headers=SIGNED).status_code for _ in range(5)] == [200] * 3 + [429] * 2
        assert post(url(inbox)).status_code == 200
        inbox.refresh_from_db()
        assert inbox.suspect_at is None

    def test_listing_others_too_does_not_get_around_the_limit(self, inbox, settings):
        settings.CALLBACKS_WAITING_LIMIT = 400  # of which 20 at such addresses
        lists = [{"Element-Instances": f"{inbox.instance_id},{999_000 + number}"} for number in range(10)]

        answers = [post(f"{BASE}/connectwisehd", headers=SIGNED | listed).status_code for listed in lists * 3]

        assert answers == [200] * 20 + [429] * 10

    def test_a_fault_of_ours_has_the_provider_come_again(self, inbox, settings):
        settings.CALLBACK_STORE_SECONDS = "a setting that nobody expects"

        assert post(url(inbox)).status_code == 429


class TestNastyInput:
    @pytest.mark.parametrize(
        "behind", ["?a=%00&b=\x00", "?\xff\xfe=1", "?a=" + "ü" * 9000, "&\x00glued", "?" + "x" * 100_000]
    )
    def test_a_query_that_cannot_be_kept_is_cut_or_cleaned(self, inbox, behind):
        path, _, query = url(inbox, behind).partition("?")

        answer = Client().generic("POST", path, BODY, QUERY_STRING=query, headers=SIGNED)

        assert answer.status_code == 200
        assert len(waiting()[0].query) <= 4096

    def test_headers_that_cannot_be_kept_are_cut_or_cleaned(self, inbox):
        headers = {"X-Content-Signature": "\x00" + "s" * 9000}

        assert post(url(inbox), headers=headers, content_type="text/" + "x" * 900 + "\x00").status_code == 200
        (kept,) = waiting()
        assert (len(kept.content_type), len(kept.signature)) == (255, 1024)

    def test_bytes_of_a_body_are_kept_whatever_they_are(self, inbox):
        body = bytes(range(256)) * 4

        assert post(url(inbox), body, content_type="application/x-www-form-urlencoded").status_code == 200
        assert bytes(waiting()[0].body) == body

    def test_a_body_that_ends_too_soon_is_not_kept(self, inbox):
        complete = RequestFactory().post(url(inbox), BODY, "text/plain", headers=SIGNED)
        broken = WSGIRequest({**complete.environ, "wsgi.input": BytesIO(BODY[:10])})

        answer = receive(broken, f"connectwisehd/{token_of(inbox)}")

        assert answer.status_code == 400
        assert Callback.objects.count() == 0

    @pytest.mark.parametrize(
        "error, status", [(ConnectionResetError("gone"), 400), (OSError("disk"), 429), (ValueError("ours"), 429)]
    )
    @pytest.mark.parametrize("is_in_chunks", [False, True])
    def test_a_body_that_cannot_be_read_is_the_senders_fault_or_ours(self, inbox, error, status, is_in_chunks):
        class Broken(BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                raise error

        environ = RequestFactory().post(url(inbox), BODY, "text/plain", headers=SIGNED).environ
        environ |= {"wsgi.input": Broken()}
        if is_in_chunks:
            environ |= {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}

        assert receive(WSGIRequest(environ), f"connectwisehd/{inbox.instance_id}").status_code == status
        assert Callback.objects.count() == 0


@pytest.mark.django_db(transaction=True)
class TestDoorbell:
    @pytest.fixture
    def messages(self, settings):
        """Those that wait for a worker that standardizes."""
        server = redis.Redis.from_url(settings.REDIS_URL)
        server.delete("callbacks")
        yield lambda: [orjson.loads(one)["headers"]["task"] for one in server.lrange("callbacks", 0, -1)]
        server.delete("callbacks")

    def test_a_burst_rings_once(self, inbox, messages):
        for _ in range(10):
            post(url(inbox))

        until(lambda: messages() == ["events.tasks.standardize"])

    def test_what_is_not_kept_rings_nothing(self, inbox, messages):
        closed = InboxFactory.create(is_open=False)
        for answer in (post(url(inbox), headers={}), post(url(closed)), post(f"{BASE}/connectwisehd/{'A' * 43}")):
            assert answer.status_code in (200, 404)
        assert messages() == []

        post(url(inbox))

        until(lambda: len(messages()) == 1)

    def test_without_redis_callbacks_are_stored_and_answered_at_once(self, inbox, settings):
        settings.REDIS_URL = "redis://127.0.0.1:9/0"

        assert post(url(inbox)).status_code == 200
        assert len(waiting()) == 1


@pytest.mark.django_db(transaction=True)
class TestDeletingAnInstance:
    def test_a_callback_that_meets_the_deletion_is_dropped_with_the_rest(self, inbox):
        instance_id = inbox.instance_id
        received = intake.Received(
            method="POST", query="", content_type="", signature="s", body=BODY, unsigned_reason=""
        )
        inbox.instance.delete()

        (outcome,) = intake.for_token(received, element_key="connectwisehd", token=token_of(inbox))

        assert outcome == intake.Outcome(instance_id=None, result=intake.CLOSED)
        assert post(f"{BASE}/connectwisehd/{instance_id}").status_code == 404
