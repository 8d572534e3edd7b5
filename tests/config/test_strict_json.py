from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.strict_json import GREATEST_INTEGER, MOST_CONTAINERS, MOST_KEYS, SMALLEST_INTEGER, InvalidJson, parse

MEBIBYTE = 1024 * 1024

# Quotes, backslashes and brackets are what the searches in the bytes could stumble over.
texts = st.text(alphabet=st.sampled_from('"\\:,{}[]u0019é\U0001f600 \n'), max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(SMALLEST_INTEGER, GREATEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(values, st.booleans())
def test_whatever_can_be_written_is_read_as_it_was(value, is_ascii):
    assert parse(json.dumps(value, ensure_ascii=is_ascii).encode()) == value


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(texts, values, min_size=1, max_size=4), st.data())
def test_repeated_key_is_refused_wherever_it_stands(members, data):
    repeated = data.draw(st.sampled_from(sorted(members)))
    pairs = [*members.items(), (repeated, data.draw(values))]
    written = "{" + ",".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}"

    with pytest.raises(InvalidJson, match="twice"):
        parse(f'[1, {{"a": {written}}}]'.encode())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a": NaN}', "line 1 column 7"),
        (b'{"a": Infinity}', "line 1 column 7"),
        (b'{"a": 1e999}', "infinity"),
        (b'{"a": \xff}', "not valid JSON"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\\udc00x"}', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'\xef\xbb\xbf{"a": 1}', "not valid JSON"),
        (b'{"a": 18446744073709551616}', "18446744073709551616"),
        (b'{"a": -9223372036854775809}', "-9223372036854775809"),
        (b'{"tags": ["x", {"b": "1\\u0000"}]}', r"tags\[1\]\.b holds a NUL"),
        (b'{"tags": {"b\\u0000": 1}}', "tags holds a NUL"),
        (b'"\\u0000"', "The body holds a NUL"),
        (b'{"a": {"name": 1, "b": 2, "name": 3}}', "name stands twice"),
        (b'{"a b": 1, "a\\u0020b": 3}', '"a b" stands twice'),
        (b'{"a":' * 65 + b"1" + b"}" * 65, r"a\.a.* is nested deeper than 64 levels"),
        (b"[" * 65 + b"]" * 65, r"\[0\]\[0\].* deeper than 64"),
        (b"[" + b"{}," * MOST_CONTAINERS + b"{}]", "10,002 objects and arrays"),
        (b"[" + b"0," * 100_000 + b"0]", "100,001 values"),
        (b"{" + b",".join(b'"%d": 0' % n for n in range(MOST_KEYS + 1)) + b"}", "10,001 keys"),
    ],
)
def test_refusal_names_the_place(body, message):
    with pytest.raises(InvalidJson, match=message):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 64 + b"]" * 64,
        b'{"a": "\\\\u0000", "b": "::,,{{[["}',
        b'{"a": 18446744073709551615, "b": -9223372036854775808, "c": 0.12345678901234567890123}',
        b'{"a": {"name": 1}, "b": {"name": 1}, "name": 1}',
        b'"18446744073709551616000"',
    ],
)
def test_what_only_looks_like_it_is_taken(body):
    assert parse(body) == json.loads(body)


def filled(item: bytes) -> bytes:
    return b"[" + b",".join([item] * ((MEBIBYTE - 2) // (len(item) + 1))) + b"]"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MEBIBYTE,
        b"1" * MEBIBYTE,
        filled(b"1" * 19),
        filled(b"1" * 18),
        filled(b"[]"),
        filled(b'""'),
        filled(b'"\\""'),
        filled(b'{"a":0}'),
        filled(b'"' + b"x" * 11 + b'\\u0000"'),
        b'"' + b"\\\\" * (MEBIBYTE // 2) + b'"',
        b"{" + b",".join(b'"%095d":0' % (n % 9_998) for n in range(9_999)) + b"}",
        (b'{"' + b"k" * 16_000 + b'":') * 60 + filled(b"[" + b"1," * 50 + b"1]")[:80_000] + b"}" * 60,
    ],
    ids=lambda body: repr(body[:16]),
)
def test_mebibyte_of_anything_is_quickly_done_with(body):
    taken = []
    for _ in range(3):
        started = time.process_time()
        with contextlib.suppress(InvalidJson):
            parse(body)
        taken.append(time.process_time() - started)

    assert min(taken) < 0.25
