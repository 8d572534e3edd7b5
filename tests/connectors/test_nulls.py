from __future__ import annotations

import json
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import nulls
from connectors.errors import UnusableAnswer
from connectors.records import Page

keys = st.sampled_from(["a", "b_2", "C", ',"a":null,', '{"a":null}', "odd key", ":", "\\", '"']) | st.text(max_size=5)
texts = st.sampled_from(["null", ":null", ',"a":null,', '{"a":null}', "a,", "x{", "\\", '"', ',"']) | st.text(
    max_size=5
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


def has_null_member(value: object) -> bool:
    if isinstance(value, dict):
        return any(member is None or has_null_member(member) for member in value.values())
    return isinstance(value, list) and any(has_null_member(item) for item in value)


@given(
    st.lists(st.dictionaries(keys, json_values, max_size=4), max_size=3),
    st.sampled_from([orjson.dumps, lambda records: json.dumps(records).encode()]),
)
def test_no_null_member_is_left_and_nothing_else_is_lost(records, encoded):
    page = Page(body=encoded(records), next_page_token=None, answered_at=datetime.now(UTC))

    filtered = orjson.loads(nulls.cut_from_page(page))

    assert not has_null_member(filtered)
    assert filtered == nulls.without_nulls(records)
    if not has_null_member(records):
        assert filtered == records


def test_record_that_is_nested_too_deeply_to_be_written_again_is_refused():
    deep = b'{"odd key":null,"a":' + b'{"a":' * 400 + b"1" + b"}" * 401
    page = Page(body=b"[" + deep + b"]", next_page_token=None, answered_at=datetime.now(UTC))

    with pytest.raises(UnusableAnswer):
        nulls.cut_from_page(page)
