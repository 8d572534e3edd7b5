"""Records as a table."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polling import csv_table

RECORDS = [
    {"id": 7, "company": {"id": 1, "name": "Acme"}, "phones": [{"value": "1"}], "note": None},
    {"id": 8, "_info": {}, "isOpen": True, "rate": 1.5},
]


def test_nested_values_become_dotted_columns_in_the_order_in_which_they_appear():
    columns = csv_table.columns_with([], RECORDS)

    assert columns == ["id", "company.id", "company.name", "phones", "note", "_info", "isOpen", "rate"]
    assert csv_table.columns_with(columns, [{"new": 1, "id": 2}]) == [*columns, "new"]
    assert csv_table.rows(columns, RECORDS).decode().split("\r\n") == [
        '7,1,Acme,"[{""value"":""1""}]",,,,',
        "8,,,,,{},true,1.5",
        "",
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1 813", "-5", "@SUM(A1)", "\t=1", " =1", "\r=1", "\nx"])
def test_text_that_a_spreadsheet_would_run_is_made_harmless(text):
    line = csv_table.rows(["a"], [{"a": text}]).decode()

    assert next(csv.reader(io.StringIO(line, newline=""))) == [f"'{text}"]
    assert csv_table.header(["=cmd"]) == b"'=cmd\r\n"


def test_numbers_stay_numbers():
    assert csv_table.rows(["a"], [{"a": -5}]) == b"-5\r\n"


def test_selected_fields_come_first_and_are_there_even_when_no_record_has_them():
    assert csv_table.ordered(["id", "b", "a.x", "a.y"], selected=["a", "missing", "b"]) == [
        "a.x",
        "a.y",
        "missing",
        "b",
        "id",
    ]


def test_records_with_too_many_names_are_no_table():
    with pytest.raises(csv_table.TooManyColumns):
        csv_table.columns_with([], [{str(number): 1} for number in range(csv_table.MOST_COLUMNS + 1)])


names = st.text("ab", min_size=1, max_size=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(st.text("abc", min_size=1, max_size=2), values, max_size=3), min_size=1, max_size=4))
def test_a_csv_reader_finds_every_row_with_every_column(records):
    columns = csv_table.columns_with([], records)
    if not columns:
        return
    text = (csv_table.header(columns) + csv_table.rows(columns, records)).decode()
    read = list(csv.reader(io.StringIO(text, newline="")))

    assert read[0] == columns
    assert [len(row) for row in read] == [len(columns)] * (len(records) + 1)
    for record, row in zip(records, read[1:], strict=True):
        for path, value in csv_table.cells(record):
            if isinstance(value, str):
                assert row[columns.index(path)].removeprefix("'") == value.removeprefix("'")
