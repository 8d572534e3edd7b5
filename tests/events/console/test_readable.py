"""Bodies as they are shown, whatever is in them."""

from __future__ import annotations

import pytest

from events.console.readable import LONGEST, readable


@pytest.mark.parametrize(
    "body, text",
    [
        (b'{"a": [1]}', '{\n  "a": [\n    1\n  ]\n}'),
        (b"no JSON \xff", "no JSON \ufffd"),
        (b'"half a character: \\ud800"', '"half a character: \\ud800"'),
        (b"[" * 100_000, "[" * 100_000),
        (b"", ""),
    ],
)
def test_json_is_indented_and_anything_else_is_shown_as_it_is(body, text):
    assert readable(body) == (text, False)
    assert text.encode().decode() == text


def test_what_would_grow_without_end_is_cut():
    deep = b"[" * 400 + b"1," * 500_000 + b"1" + b"]" * 400

    text, is_cut = readable(deep)

    assert (len(text), is_cut) == (LONGEST, True)
