"""Signatures, checked against published answers and an independent verifier."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from events import signing


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def secret_of(key: str) -> str:
    return "whsec_" + b64encode(key.encode()).decode()


def signed(body: bytes, *keys: str) -> dict[str, str]:
    return dict(signing.headers(delivery_id=7, event_id=35149, body=body, keys=keys, timestamp=now()))


@pytest.mark.parametrize(
    "key, body, signature",
    [
        (
            "MySecretEventSignatureKey",
            b"<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>",
            "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=",
        ),
        ("abcd1234efgh5678", b'{"message":{"eventId":"1"}}', "sha256=K85qmTIlvEkOr6S+WiOKj/yfELQSC8lsRD0RALn7fLE="),
    ],
)
def test_legacy_signature_is_what_clients_compute(key, body, signature):
    assert signed(body, key)["Elements-Webhook-Signature"] == signature


@given(text=st.text(max_size=200), key=st.text(min_size=1, max_size=100).filter(lambda key: key.isprintable()))
def test_an_independent_library_accepts_the_standard_signature(text, key):
    body = orjson.dumps({"text": text})

    assert Webhook(secret_of(key)).verify(body, signed(body, key)) == {"text": text}


def test_one_changed_byte_is_noticed():
    headers = signed(b'{"a":1}', "abcd1234efgh5678")

    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of("abcd1234efgh5678")).verify(b'{"a":2}', headers)


def test_while_a_key_is_replaced_receivers_with_either_key_accept():
    headers = signed(b'{"a":1}', "the new key", "the old key")

    for key in ("the new key", "the old key"):
        assert Webhook(secret_of(key)).verify(b'{"a":1}', headers) == {"a": 1}
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert headers["Elements-Webhook-Signature"] == signing.legacy_signature(key="the new key", body=b'{"a":1}')


def test_ids_tell_deliveries_and_events_apart():
    headers = signed(b"{}", "key")

    assert headers["Elements-Webhook-Id"] == "7"
    assert headers["webhook-id"] == "evt_35149"


def test_without_a_key_nothing_is_signed():
    assert set(signed(b"{}")) == {"Content-Type", "User-Agent", "Elements-Webhook-Id"}
