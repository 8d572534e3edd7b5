from __future__ import annotations

import json

import msgspec
import pytest

from polling.content import canonical_hash, content_hash, without_nulls


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


@pytest.mark.parametrize(
    "one, other, is_same",
    [
        ('{"a":1,"b":{"c":2,"d":3}}', '{ "b": {"d":3, "c":2}, "a":1 }', True),
        ('{"a":[1,2]}', '{"a":[2,1]}', False),
        ('{"a":1}', '{"a":"1"}', False),
        ('{"a":null}', "{}", False),
        ('{"a":"\\ud800","b":1}', '{"b":1,"a":"\\ud800"}', True),
        ('{"a":"\\ud800"}', '{"a":"\\ud801"}', False),
    ],
)
def test_the_canonical_hash_looks_at_what_is_said_and_not_how(one, other, is_same):
    assert (canonical_hash(raw(one)) == canonical_hash(raw(other))) is is_same
    assert content_hash(raw(one)) != content_hash(raw(other))
    assert len(canonical_hash(raw(one))) == len(content_hash(raw(one))) == 16


def test_a_record_of_endless_depth_is_compared_and_sent_as_it_is():
    deep = raw('{"a key":' * 5_000 + "null" + "}" * 5_000)

    assert canonical_hash(deep) == canonical_hash(deep)
    assert without_nulls(deep) == bytes(deep)


@pytest.mark.parametrize(
    "before, after",
    [
        ({"a": None, "b": {"c": None, "d": [None, {"e": None}]}}, {"b": {"d": [None, {}]}}),
        ({"a": "null"}, {"a": "null"}),
        ({"a": "\ud800", "b": None}, {"a": "\ud800"}),
    ],
)
def test_members_that_are_null_are_left_out_at_every_depth(before, after):
    assert json.loads(without_nulls(raw(json.dumps(before)))) == after


def test_a_record_without_nulls_keeps_its_bytes():
    text = '{ "a" : 1.10 }'

    assert without_nulls(raw(text)) == text.encode()
