from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import InvalidRecord
from connectors.vendors import connectwise_communications as communications
from connectors.vendors.connectwise_communications import KINDS

FIRST = {"communicationType": "Email", "value": "first@acme.example", "defaultFlag": False}
DEFAULT = {"communicationType": "Email", "value": "zoe@acme.example", "defaultFlag": True}
PHONE = {"communicationType": "Phone", "value": "8135550100", "defaultFlag": True}


def applied(changes: list[dict[str, Any]], items: list[Any]) -> list[Any]:
    """What a server makes of the changes, one after the other."""
    items = copy.deepcopy(items)
    for change in changes:
        place, *rest = change["path"].removeprefix("/communicationItems").strip("/").split("/")
        match change["op"]:
            case "remove":
                del items[int(place)]
            case "replace":
                assert rest == ["value"]
                items[int(place)]["value"] = change["value"]
            case "add" if place == "-":
                items.append(change["value"])
            case "add":
                assert not place
                items = list(change["value"])
    return items


def shown(items: list[Any], name: str) -> str | None:
    place = communications.shown_place(items, name)
    return None if place is None else items[place]["value"]


def changes_for(values: dict[str, str | None], items: list[Any]) -> list[dict[str, Any]]:
    needed = communications.without_item(values, items=items)
    new = [communications.new_item(name, values[name] or "", type_id=1) for name in needed]
    return communications.changes(values, items=items, new=new)


def test_values_are_taken_out_of_the_document():
    document, values = communications.taken_out(
        {"firstName": "Zoë", "email": " zoe@acme.example ", "fax": "", "phone": None}
    )

    assert document == {"firstName": "Zoë"}
    assert values == {"email": "zoe@acme.example", "phone": None, "fax": None}
    assert communications.taken_out({"firstName": "Zoë"}) == ({"firstName": "Zoë"}, {})


@pytest.mark.parametrize("value", [7, True, ["a"], {"value": "a"}])
def test_value_that_is_no_text_is_refused_by_name(value):
    with pytest.raises(InvalidRecord, match="phone must be a text"):
        communications.taken_out({"phone": value})


def test_values_beside_the_list_are_refused_as_both_mean_the_same():
    with pytest.raises(InvalidRecord, match=r"email: .*communicationItems"):
        communications.taken_out({"email": "zoe@acme.example", "communicationItems": []})


def test_value_of_the_default_item_changes_and_the_others_stay():
    assert changes_for({"email": "new@acme.example"}, [PHONE, FIRST, DEFAULT]) == [
        {"op": "replace", "path": "/communicationItems/2/value", "value": "new@acme.example"}
    ]


def test_without_a_default_the_first_of_the_kind_changes():
    assert changes_for({"email": "new@acme.example"}, [PHONE, FIRST]) == [
        {"op": "replace", "path": "/communicationItems/1/value", "value": "new@acme.example"}
    ]


def test_same_value_changes_nothing():
    assert changes_for({"email": "zoe@acme.example"}, [DEFAULT]) == []
    assert changes_for({"email": None}, [PHONE]) == []


def test_items_go_from_the_last_place_down():
    assert [change["path"] for change in changes_for({"phone": None, "email": None}, [PHONE, FIRST, DEFAULT])] == [
        "/communicationItems/2",
        "/communicationItems/0",
    ]


def test_first_item_makes_the_list():
    (change,) = changes_for({"email": "new@acme.example"}, [])

    assert (change["op"], change["path"]) == ("add", "/communicationItems")
    assert change["value"] == [
        {
            "type": {"id": 1},
            "value": "new@acme.example",
            "communicationType": "Email",
            "defaultFlag": True,
        }
    ]


_items = st.lists(
    st.builds(
        lambda kind, value, flag: {"communicationType": kind, "value": value, "defaultFlag": flag},
        st.sampled_from(list(KINDS.values())),
        st.sampled_from(["a", "b", "c"]),
        st.booleans(),
    ),
    max_size=6,
)
_values = st.dictionaries(st.sampled_from(list(KINDS)), st.none() | st.sampled_from(["a", "new"]))


@settings(max_examples=100)
@given(_items, _values)
def test_afterwards_values_are_what_was_sent_and_no_other_item_is_lost(items, values):
    after = applied(changes_for(values, items), items)

    for name, kind in KINDS.items():
        before_count = sum(item["communicationType"] == kind for item in items)
        after_count = sum(item["communicationType"] == kind for item in after)
        if values.get(name):
            assert shown(after, name) == values[name]
            assert after_count == max(before_count, 1)
        else:
            assert after_count == max(before_count - (name in values), 0)
            assert name in values or shown(after, name) == shown(items, name)


@pytest.mark.parametrize("items", [None, "x", {}, 7])
def test_record_without_a_list_has_no_items(items):
    assert communications.items_of({"communicationItems": items}) == []
    assert communications.items_of({}) == []
    assert communications.shown_place(["x", None, {"communicationType": 1}], "email") is None
