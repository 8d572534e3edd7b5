"""Whether the provider sent a callback: reading the key, and the signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.change import UPDATED
from connectors.egress import fetch
from connectors.errors import UnusableAnswer
from connectors.sandbox import Sandbox
from tests.connectors.elements.connectwisehd.bodies import CALLBACKS, Catcher, connection, inbound, payload

# The key and the signature


@pytest.mark.parametrize(
    "answer",
    [
        b'{"signing_key":"Zo\xc3\xab"}',
        b'\xef\xbb\xbf{"signing_key":"Zo\xc3\xab"}',
        b' \r\n{"id":1, "signing_key": "Zo\\u00eb", "x": null}\n',
    ],
)
def test_the_key_is_read_from_json(answer):
    assert CALLBACKS.signing_key(answer) == "Zoë"


def test_the_longest_key_is_taken():
    assert CALLBACKS.signing_key(json.dumps({"signing_key": "k" * 4096}).encode()) == "k" * 4096


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b'"key"',
        b"<html>Sign in</html>",
        b'{"signing_key":"cut',
        b"{}",
        b'{"signing_key":null}',
        b'{"signing_key":""}',
        b'{"signing_key":"  "}',
        b'{"signing_key":7}',
        b'{"signing_key":["key"]}',
        b'{"signing_key":"\\ud800"}',
        b'{"signing_key":"\xff"}',
        b"[" * 60_000,
        json.dumps({"signing_key": "k" * 4097}).encode(),
        json.dumps({"signing_key": "é" * 4096}, ensure_ascii=False).encode(),
        json.dumps({"signing_key": "key", "x": "x" * 70_000}).encode(),
        '{"signing_key":"key"}'.encode("utf-16"),
    ],
)
def test_what_holds_no_key_is_an_unusable_answer(answer):
    with pytest.raises(UnusableAnswer) as unusable:
        CALLBACKS.signing_key(answer)

    assert "k" * 20 not in str(unusable.value)


CHECK_VALUES = [
    (
        "test-signing-key",
        '{"ID":1,"Entity":"{\\"firstName\\":\\"Zoë\\"}"}',
        "/6MCPDSj4L0ABiWvpm4aHIfYgUG12ypU5D8A6uiXcno=",
    ),
    ("sharedSecretKey", '{"message":{"eventId":"1"}}', "pqbKNiEqVc975ctY/zZW1KD0QF7+9oHqWAH5jN2WMJU="),
]


@pytest.mark.parametrize("key, body, signature", CHECK_VALUES)
def test_signatures_of_known_value_hold(key, body, signature):
    assert CALLBACKS.is_signed_with(inbound(body, signature=signature), key)
    assert CALLBACKS.is_signed_with(inbound(body, signature=f" {signature} "), key)
    assert not CALLBACKS.is_signed_with(inbound(body, signature=signature), f"{key} ")
    assert not CALLBACKS.is_signed_with(inbound(body + " ", signature=signature), key)


def signed(body: bytes, key: str) -> str:
    digest = hmac.new(hashlib.sha256(key.encode()).digest(), body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize("key, body, signature", CHECK_VALUES)
def test_signatures_made_in_other_ways_do_not_hold(key, body, signature):
    digest = base64.b64decode(signature)
    others = {
        "": "none",
        digest.hex(): "hexadecimal",
        base64.urlsafe_b64encode(digest).decode().replace("=", ""): "no padding",
        base64.b64encode(hmac.digest(key.encode(), body.encode(), "sha256")).decode(): "the key itself",
        base64.b64encode(
            hmac.digest(hashlib.sha256(key.encode()).hexdigest().encode(), body.encode(), "sha256")
        ).decode(): "the digest as text",
        base64.b64encode(hashlib.sha256(body.encode()).digest()).decode(): "no key",
        f"sha256={signature}": "a prefix",
        f"{signature},{signature}": "twice",
    }

    for other in others:
        assert not CALLBACKS.is_signed_with(inbound(body, signature=other), key)


def test_nothing_is_signed_with_an_empty_key():
    assert not CALLBACKS.is_signed_with(inbound(b"{}", signature=signed(b"{}", "")), "")


keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@given(st.binary(max_size=100), keys)
def test_what_is_signed_holds(body, key):
    assert CALLBACKS.is_signed_with(inbound(body, signature=signed(body, key)), key)


@given(st.binary(min_size=1, max_size=100), keys, st.data())
def test_a_changed_bit_breaks_it(body, key, data):
    position, bit = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(0, 7))
    other = body[:position] + bytes([body[position] ^ 1 << bit]) + body[position + 1 :]

    assert not CALLBACKS.is_signed_with(inbound(other, signature=signed(body, key)), key)


@given(st.binary(max_size=30), st.text(st.characters(codec=None), max_size=60), st.text(st.characters(codec=None)))
def test_no_signature_and_no_key_make_it_fail(body, signature, key):
    assert not CALLBACKS.is_signed_with(inbound(body, signature=signature), key)


def test_a_callback_keeps_its_words_to_itself_when_it_is_shown():
    assert "Zoë" not in repr(inbound(payload("contact_updated"), signature="canary"))
    assert "canary" not in repr(inbound(b"{}", signature="canary"))


# The whole way, with what a sandbox sends


@pytest.mark.parametrize("faults", [{}, {"old_shape": True}, {"without_entity": True}])
def test_what_the_provider_sends_is_proven_by_the_key_it_keeps(faults):
    with Sandbox.start(contacts=1, companies=1, tickets=1, time_entries=1) as sandbox, Catcher() as catcher:
        account = connection(sandbox.url, username=sandbox.public_key, password=sandbox.private_key)
        for name, value in faults.items():
            setattr(sandbox.callbacks, name, value)
        url = CALLBACKS.url(f"{catcher.url}/here")
        CALLBACKS.register(account, CALLBACKS.wanted("contact")[0], url=url, description="Test")

        sandbox.contacts.edit(sandbox.contacts.ids()[0], firstName="Zoë")
        sandbox.callbacks.wait_until_idle(10)

        (callback,) = catcher.caught
        assert account.account() in CALLBACKS.accounts(callback)
        answer = fetch("GET", CALLBACKS.key_url(callback, account), headers={})
        key = CALLBACKS.signing_key(answer.body)
        assert CALLBACKS.is_signed_with(callback, key)
        assert not CALLBACKS.is_signed_with(replace(callback, body=callback.body + b" "), key)
        (change,) = CALLBACKS.standardize(callback).changes
        assert (change.event_type, change.object_type) == (UPDATED, "contacts")
