"""What a notification tells of, read from its beginning."""

from __future__ import annotations

import orjson
import pytest

from events.console.contents import Told, changes, in_words
from tests.events.conftest import make_instance, publish

pytestmark = pytest.mark.django_db


def test_changes_are_read_whole_or_not_at_all(owner, sink):
    (event,) = publish(make_instance(owner, sink.url))
    body = bytes(event.body)

    (told,) = changes(body)
    assert (told.event_type, told.object_type, told.object_id) == ("UPDATED", "contacts", "1")
    end = body.index(b'"objectType"')
    assert changes(body[:end]) == []
    assert changes(b"") == changes(b'{"news": "hello"}') == []
    (half,) = changes(b'{"events":[{"objectId":"\\udfff"}]}')
    assert half.object_id.encode() == b"\\udfff"
    assert changes(b'{"events":[' + b'{"a":' * 1600) == []


def test_a_name_that_looks_like_changes_is_not_taken_for_them():
    head = orjson.dumps({"instanceName": '"events":[{"eventType":"FAKE"}]', "events": [{"eventType": "CREATED"}]})

    assert [one.event_type for one in changes(head)] == ["CREATED"]


def test_changes_in_words():
    told = [Told("CREATED", "contacts", "7")]

    assert in_words(told, count=1) == "contacts 7 created"
    assert in_words(told, count=3) == "contacts 7 created, and 2 more"
    assert in_words([], count=1) == "1 change"
