"""`event.callback.types`: which callbacks an instance wants, and what they cover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.callbacks import InvalidCallbackTypes, WantedCallback
from connectors.vendors.connectwise_callback_types import GREATEST_ID, LEVELS, MOST_CALLBACKS
from tests.connectors.elements.connectwisehd.bodies import CALLBACKS, ELEMENT


def wanted(text: str) -> list[tuple[str, str, str]]:
    return [(one.type, one.level, one.object_id) for one in CALLBACKS.wanted(text)]


def everything(*types: str) -> list[tuple[str, str, str]]:
    return [(one, "owner", "1") for one in types]


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_nothing_said_means_the_four_types_of_the_hub(text):
    assert wanted(text) == everything("ticket", "company", "contact", "time")


@pytest.mark.parametrize(
    "text, found",
    [
        ("ticket", everything("ticket")),
        ("ticket,opportunity", everything("ticket", "opportunity")),
        ("ticket\r\nopportunity\n", everything("ticket", "opportunity")),
        (" Ticket , PURCHASEORDER ,", everything("ticket", "purchaseorder")),
        ("ProductCatalog", everything("productcatalog")),
        ("ticket:owner", everything("ticket")),
        ("ticket:Owner:1", everything("ticket")),
        ("ticket:board:12", [("ticket", "board", "12")]),
        ("Ticket : Board : 0012", [("ticket", "board", "12")]),
        ("company:company:250", [("company", "company", "250")]),
        ("ticket:IntegratorTag:3", [("ticket", "integratortag", "3")]),
        ("opportunity:StatusId:1", [("opportunity", "statusid", "1")]),
        ("ticket, Ticket, ticket:owner, ticket:owner:1", everything("ticket")),
        ("ticket:board:12,ticket:board:13,TICKET:BOARD:012", [("ticket", "board", "12"), ("ticket", "board", "13")]),
        (f"time:time:{GREATEST_ID}", [("time", "time", str(GREATEST_ID))]),
    ],
)
def test_types_levels_and_ids_are_read(text, found):
    assert wanted(text) == found


@pytest.mark.parametrize(
    "text, reason",
    [
        ("tickets", "'tickets': there is no type 'tickets'; there are activity, agreement, company, "),
        ("ticket, nonsense:board:1", "'nonsense:board:1': there is no type 'nonsense'; there are activity, "),
        ("ticket:nonsense:1", "ticket has no level 'nonsense'; it has owner, board, project, phase, status, ticket, "),
        ("productcatalog:status:1", "productcatalog has no level 'status'; it has owner"),
        ("ticket:", "ticket has no level ''; it has owner, board"),
        (":", "there is no type ''"),
        ("ticket:board", "ticket:board needs an id, a number from 1 to 2147483647, such as ticket:board:12"),
        ("ticket:board:", "ticket:board needs an id"),
        ("ticket:board:0", "ticket:board needs an id"),
        ("ticket:board:-1", "ticket:board needs an id"),
        ("ticket:board:1.5", "ticket:board needs an id"),
        ("ticket:board:twelve", "ticket:board needs an id"),
        ("ticket:board:१२", "ticket:board needs an id"),
        ("ticket:board:²", "ticket:board needs an id"),
        (f"ticket:board:{GREATEST_ID + 1}", "ticket:board needs an id"),
        ("ticket:board:" + "9" * 10_000, "ticket:board needs an id"),
        ("ticket:owner:2", "owner is everything of the type and takes no id; write ticket"),
        ("ticket:board:12:1", "write type or type:level:id, such as ticket or ticket:board:12"),
        (", ,\n,", "no type is named; there are activity, "),
        (",".join(f"ticket:board:{board}" for board in range(1, 102)), "101 callbacks are asked for, and 100 are"),
        ("ticket;company", "there is no type 'ticket;company'"),
        ("x" * 1000, "…'; there are"),
        ("tıcket", "there is no type 'tıcket'"),
        ("tic\u0000ket", r"there is no type 'tic\x00ket'"),
    ],
)
def test_what_cannot_be_understood_is_named_with_what_can(text, reason):
    with pytest.raises(InvalidCallbackTypes) as refused:
        CALLBACKS.wanted(text)

    assert reason in str(refused.value)
    assert len(str(refused.value)) < 500


def test_every_type_has_the_levels_of_the_provider():
    assert sum(map(len, LEVELS.values())) == 72
    assert all(levels[0] == "owner" for levels in LEVELS.values())
    assert len(LEVELS) == 16


@st.composite
def callbacks(draw) -> WantedCallback:
    callback_type = draw(st.sampled_from(sorted(LEVELS)))
    level = draw(st.sampled_from(LEVELS[callback_type]))
    object_id = 1 if level == "owner" else draw(st.integers(1, GREATEST_ID))
    return WantedCallback(type=callback_type, level=level, object_id=str(object_id))


@given(st.lists(callbacks(), min_size=1, max_size=20), st.sampled_from([",", ", ", "\n", " ,\r\n"]), st.booleans())
def test_what_is_written_is_read_in_its_order_and_once(asked, separator, is_loud):
    text = separator.join(f"{one.type}:{one.level}:{one.object_id}" for one in asked)

    assert CALLBACKS.wanted(text.upper() if is_loud else text) == tuple(dict.fromkeys(asked))


@given(st.text(st.characters(codec=None), max_size=30) | st.from_regex(r"[a-z:,0-9 \n]{0,30}"))
def test_any_text_is_understood_or_refused(text):
    try:
        found = CALLBACKS.wanted(text)
    except InvalidCallbackTypes:
        return
    assert 0 < len(found) <= MOST_CALLBACKS
    for one in found:
        assert one.level in LEVELS[one.type]
        assert 1 <= int(one.object_id) <= GREATEST_ID


@pytest.mark.parametrize(
    "text, covered",
    [
        ("", {"incidents", "organizations", "contacts", "time-entries"}),
        ("ticket, contact", {"incidents", "contacts"}),
        ("ticket:board:12, contact", {"contacts"}),
        ("ticket:board:12, ticket", {"incidents"}),
        ("opportunity, company:company:250", set()),
    ],
)
def test_only_what_is_told_whole_is_covered(text, covered):
    assert CALLBACKS.covered_resources(CALLBACKS.wanted(text)) == covered
    assert covered <= {resource.name for resource in ELEMENT.resources}


def test_the_registered_url_has_room_for_the_record():
    assert CALLBACKS.url("https://here.example/a/b") == "https://here.example/a/b?recordId="


def test_the_provider_tries_again_when_it_is_told_to():
    assert CALLBACKS.busy_status == 429
    assert CALLBACKS.signature_header == "x-content-signature"


@pytest.mark.parametrize(
    "text, told",
    [
        ("", {"incidents", "organizations", "contacts", "time-entries"}),
        ("ticket:board:12, opportunity", {"incidents", "opportunity"}),
    ],
)
def test_changes_have_the_object_types_of_what_is_wanted(text, told):
    assert CALLBACKS.wanted_object_types(CALLBACKS.wanted(text)) == told
