from __future__ import annotations

from datetime import timedelta

import pytest
from requests.structures import CaseInsensitiveDict

from connectors.egress import Answer, raise_for_status
from connectors.egress.statuses import LONGEST_MESSAGE, RETRY_AFTER_LONGEST, provider_message
from connectors.errors import (
    ConnectorError,
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    TryLater,
)

DATE = "Tue, 09 Jun 2026 21:59:47 GMT"


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=CaseInsensitiveDict(names), body=body)


def error_of(given: Answer) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        raise_for_status(given)
    return raised.value


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_raises_nothing(status):
    raise_for_status(answer(status))


@pytest.mark.parametrize(
    "status, error",
    [
        (301, RequestRefused),
        (302, RequestRefused),
        (308, RequestRefused),
        (400, RequestRefused),
        (401, CredentialsRefused),
        (403, PermissionRefused),
        (404, RecordNotFound),
        (405, RequestRefused),
        (409, RequestRefused),
        (415, RequestRefused),
        (429, RateLimited),
        (500, TryLater),
        (502, TryLater),
        (503, TryLater),
        (599, TryLater),
    ],
)
def test_the_status_decides_the_error(status, error):
    raised = error_of(answer(status, b'{"code":"Security","message":"No."}'))

    assert type(raised) is error
    assert raised.status == status
    assert raised.provider_message == "No."
    assert str(status) in str(raised)


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({}, 30),
        ({"Retry_After": "0"}, 30),
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": " 120 "}, 120),
        ({"Retry_After": "soon"}, 30),
        ({"Retry_After": "-5"}, 30),
        ({"Retry_After": "1.5"}, 30),
        ({"Retry_After": "999999999"}, RETRY_AFTER_LONGEST.total_seconds()),
        ({"Retry_After": "9" * 400}, 30),
        ({"Date": DATE, "Retry_After": "Tue, 09 Jun 2026 22:00:32 GMT"}, 45),
        ({"Date": DATE, "Retry_After": "Tue, 09 Jun 2026 21:00:00 GMT"}, 30),
        ({"Retry_After": "Tue, 09 Jun 2026 22:00:32 GMT"}, 30),
        ({"Date": DATE, "Retry_After": "Sun, 09 Jun 9999 22:00:32 GMT"}, RETRY_AFTER_LONGEST.total_seconds()),
    ],
)
def test_too_many_requests_always_say_when_to_ask_again(headers, seconds):
    raised = error_of(answer(429, b'{"error":"ConnectWiseAPI","message":"Too many requests."}', **headers))

    assert isinstance(raised, RateLimited)
    assert raised.retry_after == timedelta(seconds=seconds)
    assert raised.provider_message == "Too many requests."


def test_a_failing_provider_may_say_when_to_ask_again():
    raised = [error_of(answer(503, Retry_After="90")), error_of(answer(503))]

    assert [error.retry_after for error in raised if isinstance(error, TryLater)] == [timedelta(seconds=90), None]


@pytest.mark.parametrize(
    "body, said",
    [
        (b"", ""),
        (b'{"code":"NotFound","message":"Contact 57919 not found"}', "Contact 57919 not found"),
        (
            b'{"code":"InvalidObject","message":"contact object is invalid","errors":[{"code":"MissingRequiredField",'
            b'"message":"The firstName field is required.","resource":"contact","field":"firstName"}]}',
            "contact object is invalid The firstName field is required.",
        ),
        (b'{"message":"Same.","errors":[{"message":"Same."},{"message":null},7,null]}', "Same."),
        (b'{"message":"Alone.","errors":null}', "Alone."),
        (b'{"code":"ConnectWiseApi","message":""}', "ConnectWiseApi"),
        (b'{"error":"ConnectWiseAPI"}', "ConnectWiseAPI"),
        (b"Cannot route. Codebase/company is invalid", "Cannot route. Codebase/company is invalid"),
        (
            b"<!DOCTYPE html><html><head><title>502</title><style>b{}</style></head>\n<body><!-- x --><h1>502 Bad"
            b"&nbsp;Gateway</h1><script>alert('1')</script></body></html>",
            "502 Bad Gateway",
        ),
        (b'["not", "an", "object"]', '["not", "an", "object"]'),
        (b"\xff\xfe broken \x00 bytes", "\ufffd\ufffd broken bytes"),
        (b"[" * 50_000, None),
    ],
)
def test_the_providers_words_are_kept(body, said):
    found = provider_message(body)

    assert len(found) <= LONGEST_MESSAGE
    assert said is None or found == said


def test_the_providers_words_are_shortened():
    found = provider_message(b'{"message": "%s"}' % (b"word " * 1000))

    assert len(found) == LONGEST_MESSAGE
    assert found.endswith("…")


@pytest.mark.parametrize("body", [b"<script>" * 100_000, b"<!--" * 100_000, b"<" * 1_000_000, b"<a " * 500_000])
@pytest.mark.timeout(5)
def test_hostile_markup_takes_no_time(body):
    assert len(provider_message(body)) <= LONGEST_MESSAGE


@pytest.mark.parametrize(
    "body, codes",
    [
        (
            b'{"code":"InvalidObject","errors":[{"code":"ObjectExists"},{"code":"x"}]}',
            ("InvalidObject", "ObjectExists", "x"),
        ),
        (b'{"code":"NotFound","message":"m","errors":null}', ("NotFound",)),
        (b'{"errors":[null,7,{},{"code":7},{"code":""},{"code":"ObjectExists"}]}', ("ObjectExists",)),
        (b'{"code":["x"],"errors":{"code":"y"}}', ()),
        (b'{"code":"%b"}' % (b"x" * 101), ()),
        (b"<html>", ()),
        (b"[" * 50_000, ()),
        (b"", ()),
    ],
)
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_the_providers_own_codes_come_along(status, body, codes):
    assert error_of(answer(status, body)).codes == codes


@pytest.mark.parametrize(
    "body, fields",
    [
        (b'{"code":"InvalidObject","errors":[{"field":"status/id"},{"field":"board"}]}', ("status/id", "board")),
        (b'{"field":"no","errors":[null,7,{"field":7},{"field":""},{"field":"%b"}]}' % (b"x" * 101), ()),
        (b"<html>", ()),
    ],
)
def test_the_fields_that_the_provider_complains_about_come_along(body, fields):
    assert error_of(answer(400, body)).fields == fields


def test_no_answer_brings_codes_without_end():
    body = b'{"errors":[%b]}' % b",".join([b'{"code":"ObjectExists"}'] * 500)

    assert len(error_of(answer(400, body)).codes) == 20
