from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.element import Element, Resource
from connectors.elements.connectwisecrmrest.definition import ELEMENT as CONNECTWISE
from connectors.poller import DateField, InvalidPollerConfiguration, ResourcePoller, parse

STAMP = "yyyy-MM-dd'T'HH:mm:ss'Z'"
URL = f"/hubs/crm/contacts?where=lastUpdated>'${{gmtDate:{STAMP}}}'"


def dates(**changes: object) -> dict[str, object]:
    entry: dict[str, object] = {
        "updatedDateField": "_info.lastUpdated",
        "updatedDateFormat": STAMP,
        "updatedDateTimezone": "GMT",
        "createdDateField": "_info.lastUpdated",
        "createdDateFormat": STAMP,
        "createdDateTimezone": "GMT",
    }
    return without_missing(entry | changes)


def contacts(**changes: object) -> dict[str, object]:
    entry: dict[str, object] = {"url": URL, "idField": "id", "datesConfiguration": dates()}
    return {"contacts": without_missing(entry | changes)}


MISSING = object()


def without_missing(entry: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in entry.items() if value is not MISSING}


UPDATED = DateField("_info.lastUpdated", STAMP, "GMT")
CONTACTS = ResourcePoller(resource="contacts", url=URL, id_field="id", updated=UPDATED, created=UPDATED)


def parsed(**changes: object) -> ResourcePoller:
    return parse(contacts(**changes), element=CONNECTWISE)["contacts"]


def message(value: object, element: Element = CONNECTWISE) -> str:
    with pytest.raises(InvalidPollerConfiguration) as error:
        parse(value, element=element)
    return str(error.value)


# The configuration as public guides print it, character for character.
GUIDE = """{
      "contacts":{
        "url":"/hubs/crm/contacts?where=lastUpdated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
        "idField":"id",
        "datesConfiguration":{
          "updatedDateField":"_info.lastUpdated",
          "updatedDateFormat":"yyyy-MM-dd'T'HH:mm:ss'Z'",
          "updatedDateTimezone":"GMT",
          "createdDateField":"_info.lastUpdated",
          "createdDateFormat":"yyyy-MM-dd'T'HH:mm:ss'Z'",
          "createdDateTimezone":"GMT"
        }
      }
    }"""


@pytest.mark.parametrize("value", [json.loads(GUIDE), GUIDE, json.dumps(json.loads(GUIDE)), f"\n\t{GUIDE}\n"])
def test_the_configuration_of_the_guides_is_accepted_as_object_and_as_text(value):
    assert parse(value, element=CONNECTWISE) == {"contacts": CONTACTS}


def test_line_breaks_and_tabs_inside_the_texts_of_json_are_tolerated():
    text = json.dumps(contacts(url=URL + "\n\t")).replace("\\n", "\n").replace("\\t", "\t")

    assert "\n" in text
    assert parse(text, element=CONNECTWISE) == {"contacts": CONTACTS}


def test_defaults_of_what_is_not_said():
    poller = parsed(datesConfiguration=dates(updatedDateTimezone=MISSING, createdDateTimezone=MISSING))

    assert poller == CONTACTS
    assert (poller.filter_by_updated_date, poller.filter_by_current_date) == (True, False)
    assert poller.created_check_tolerance == poller.poll_delay == timedelta(0)
    assert poller.page_size is None


@pytest.mark.parametrize(
    "changes, attribute, expected",
    [
        ({"filterByUpdatedDate": False}, "filter_by_updated_date", False),
        ({"filterByUpdatedDate": "False"}, "filter_by_updated_date", False),
        ({"filterByUpdateDate": False}, "filter_by_updated_date", False),
        ({"filterByUpdateDate": False, "filterByUpdatedDate": True}, "filter_by_updated_date", True),
        ({"filterByUpdateDate": True, "filterByUpdatedDate": False}, "filter_by_updated_date", False),
        ({"filterByCurrentDate": "true"}, "filter_by_current_date", True),
        ({"createdCheckTolerance": 10}, "created_check_tolerance", timedelta(seconds=10)),
        ({"createdCheckTolerance": "10"}, "created_check_tolerance", timedelta(seconds=10)),
        ({"pollDelay": " 1.5 "}, "poll_delay", timedelta(seconds=1.5)),
        ({"pollDelay": ""}, "poll_delay", timedelta(0)),
        ({"pageSize": "50"}, "page_size", 50),
        ({"pageSize": 5000}, "page_size", 1000),
        ({"pageSize": None}, "page_size", None),
        ({"idField": "_info.key"}, "id_field", "_info.key"),
        ({"url": "/contacts"}, "url", "/contacts"),
        ({"url": "/contacts?where="}, "url", "/contacts?where="),
        ({"url": "/hubs/anything/incidents?where=id>1"}, "url", "/hubs/anything/incidents?where=id>1"),
        ({"datesConfiguration": dates(updatedDateFormat="milliseconds")}, "updated",
         DateField("_info.lastUpdated", "milliseconds", "GMT")),
        ({"datesConfiguration": dates(createdDateTimezone="")}, "created", DateField("_info.lastUpdated", STAMP, "")),
        ({"datesConfiguration": dates(updatedDateTimezone=MISSING), "updatedDateTimezone": "MST"}, "updated",
         DateField("_info.lastUpdated", STAMP, "MST")),
        ({"datesConfiguration": dates(updatedDateTimezone="PST"), "updatedDateTimezone": "MST"}, "updated",
         DateField("_info.lastUpdated", STAMP, "PST")),
    ],
)  # fmt: skip
def test_each_setting_is_read(changes, attribute, expected):
    assert getattr(parsed(**changes), attribute) == expected


def test_dates_tell_created_only_where_they_are_two_fields():
    assert not parsed().dates_tell_created
    assert parsed(datesConfiguration=dates(createdDateField="_info.dateEntered")).dates_tell_created


def test_a_poller_may_have_a_name_of_its_own():
    vips = contacts()["contacts"]

    assert parse({"vips": vips}, element=CONNECTWISE)["vips"].resource == "vips"


# --- names and lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["contacts|incidents", "contacts, incidents", ["contacts", "incidents"], '["contacts","incidents"]']
)
def test_names_select_resources_of_the_default(value):
    pollers = parse(value, element=CONNECTWISE)

    assert pollers == {name: parse(None, element=CONNECTWISE)[name] for name in ("contacts", "incidents")}


@pytest.mark.parametrize("value", [None, "", "  "])
def test_nothing_said_is_the_default(value):
    assert list(parse(value, element=CONNECTWISE)) == ["contacts", "incidents", "organizations"]
    assert parse(value, element=CONNECTWISE)["contacts"] == CONTACTS


def test_an_empty_object_polls_nothing():
    assert parse({}, element=CONNECTWISE) == {}


def test_older_lines_become_pollers_with_the_default_for_what_they_leave_out():
    text = (
        "contacts|/hubs/crm/contacts?where=lastUpdated>'${date}'||_info.lastUpdated|milliseconds|MST|created|yyyy-MM-dd|\n"
        "\n"
        "organizations|/organizations\r\n"
    )

    pollers = parse(text, element=CONNECTWISE)

    assert pollers["contacts"] == ResourcePoller(
        resource="contacts",
        url="/hubs/crm/contacts?where=lastUpdated>'${date}'",
        id_field="id",
        updated=DateField("_info.lastUpdated", "milliseconds", "MST"),
        created=DateField("created", "yyyy-MM-dd", "GMT"),
    )
    assert pollers["organizations"].url == "/organizations"
    assert pollers["organizations"].updated == UPDATED


# --- refusals -------------------------------------------------------------------------------------------------------

NO_PATH = "contacts.url must be a path on this API such as /hubs/crm/contacts?where=..., not an absolute URL"
POLLED = "contacts, incidents, organizations"
RESOURCES = f"{POLLED}, configurations, opportunities, time-entries, fields"
NO_DEFAULT = f"is not polled by default ({POLLED}); send its settings as an object"
NO_NAME = "is no resource name: letters, digits, _ . - and at most 64 of them"


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"url": MISSING}, "contacts.url is missing"),
        ({"url": ""}, "contacts.url is missing"),
        ({"url": 5}, "contacts.url must be a text"),
        ({"url": "/contacts?a=" + "a" * 4000}, "contacts.url is longer than 4000 characters"),
        ({"idField": MISSING}, "contacts.idField is missing"),
        (
            {"idField": "a..b"},
            "contacts.idField must be a field's name, with dots between levels as in _info.lastUpdated",
        ),
        ({"datesConfiguration": MISSING}, "contacts.datesConfiguration is missing"),
        ({"datesConfiguration": "x"}, "contacts.datesConfiguration must be an object"),
        *[
            ({"datesConfiguration": dates(**{key: MISSING})}, f"contacts.datesConfiguration.{key} is missing")
            for key in ("updatedDateField", "updatedDateFormat", "createdDateField", "createdDateFormat")
        ],
        (
            {"datesConfiguration": dates(updatedDateFormat="yyyy-QQ")},
            "contacts.datesConfiguration.updatedDateFormat: 'yyyy-QQ' is no date pattern: 'QQ' is not known",
        ),
        (
            {"datesConfiguration": dates(createdDateFormat="HH:mm")},
            "contacts.datesConfiguration.createdDateFormat: 'HH:mm' is no date pattern: it has no year",
        ),
        (
            {"datesConfiguration": dates(createdDateTimezone="Mars")},
            "contacts.datesConfiguration.createdDateTimezone: 'Mars' is no time zone: "
            "use one like GMT, MST, -06:00 or America/Denver",
        ),
        (
            {"datesConfiguration": dates(updatedDateTimezone=6)},
            "contacts.datesConfiguration.updatedDateTimezone must be a text",
        ),
        (
            {"datesConfiguration": dates(updatedDateTimezone=MISSING), "updatedDateTimezone": "Mars"},
            "contacts.updatedDateTimezone: 'Mars' is no time zone: use one like GMT, MST, -06:00 or America/Denver",
        ),
        ({"filterByUpdatedDate": "perhaps"}, "contacts.filterByUpdatedDate must be true or false"),
        ({"filterByUpdateDate": 1}, "contacts.filterByUpdateDate must be true or false"),
        ({"createdCheckTolerance": "soon"}, "contacts.createdCheckTolerance must be a number"),
        ({"createdCheckTolerance": True}, "contacts.createdCheckTolerance must be a number"),
        ({"createdCheckTolerance": "nan"}, "contacts.createdCheckTolerance must be a number"),
        ({"pollDelay": -1}, "contacts.pollDelay must be a number of seconds, 0 to 31622400"),
        ({"pollDelay": 10**400}, "contacts.pollDelay must be a number"),
        ({"pageSize": 0}, "contacts.pageSize must be a whole number, 1 or more"),
        ({"pageSize": 1.5}, "contacts.pageSize must be a whole number, 1 or more"),
        (
            {"url": "/contacts?a=${foo}"},
            "contacts.url has the unknown macro ${foo}; known are gmtDate, date, dateTimeZone, epoch and milliseconds",
        ),
        ({"url": "/contacts?a=${epoch"}, "contacts.url has a macro that no } closes: ${epoch"),
        (
            {"url": "/hubs/crm/contcats?where=id>1"},
            f"contacts.url reads 'contcats', which connectwisecrmrest has not; it has {RESOURCES}",
        ),
        (
            {"url": "/hubs/crm/contacts/5"},
            f"contacts.url reads 'contacts/5', which connectwisecrmrest has not; it has {RESOURCES}",
        ),
        (
            {"url": "/contacts?where=lastUpdated>'${date}"},
            "contacts.url: Error parsing query: this quote is not closed at position 13",
        ),
        (
            {"url": "/contacts?where=lastUpdated%3E${date} and"},
            "contacts.url: Error parsing query: expected a field name at position 37, the query ends",
        ),
        *[
            ({"url": url}, NO_PATH)
            for url in (
                *("https://evil.example/contacts", "http:contacts", "//evil/contacts", "@evil/contacts", "contacts"),
                *("/../../contacts", "/hubs/../contacts", "\\\\evil\\contacts", "/\\evil/contacts", "/@evil/contacts"),
                *(
                    "/hubs/crm/contacts#",
                    "/hubs/crm/%63ontacts",
                    "/hubs/crm//contacts",
                    "/",
                    "/con\ntacts",
                    "?where=id=1",
                ),
            )
        ],
    ],
)
def test_a_refusal_names_the_setting_and_what_it_should_be(changes, problem):
    assert message(contacts(**changes)) == f"event.poller.configuration: {problem}"


@pytest.mark.parametrize(
    "value, problem",
    [
        ("{", "configuration: is not JSON at line 1, column 2"),
        ("[" * 100_000, "configuration: is not JSON"),
        ("contacts|people", f"configuration: 'people' {NO_DEFAULT}"),
        ([{"contacts": {}}], f"configuration: \"{{'contacts': {{}}}}\" {NO_DEFAULT}"),
        (5, "configuration: must be an object, resource name to settings"),
        ({"contacts": "x"}, "configuration: contacts must be an object with url, idField and datesConfiguration"),
        ({"a b": {}}, f"configuration: 'a b' {NO_NAME}"),
        ({"events": {}}, "configuration: events is a name of the notification's own; call the poller something else"),
        (
            "contacts|/hubs/crm/people",
            f"urls: contacts.url reads 'people', which connectwisecrmrest has not; it has {RESOURCES}",
        ),
        ("people|/contacts", "urls: people.datesConfiguration.updatedDateField is missing"),
        ("|/contacts", f"urls: '' {NO_NAME}"),
    ],
)
def test_a_refusal_of_the_whole_says_what_to_send(value, problem):
    assert message(value) == f"event.poller.{problem}"


def test_an_element_without_default_pollers_takes_settings_only():
    element = replace(
        CONNECTWISE,
        resources=(Resource(name="things", path="/things"),),
        poller_configuration=MappingProxyType({}),
    )
    things = contacts(url="/hubs/crm/things")["contacts"]

    assert list(parse({"things": things}, element=element)) == ["things"]
    assert message("things", element) == (
        "event.poller.configuration: 'things' is not polled by default (none); send its settings as an object"
    )


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
SETTINGS = [
    "url",
    "idField",
    "datesConfiguration",
    "filterByUpdatedDate",
    "createdCheckTolerance",
    "pollDelay",
    "pageSize",
]


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.text(), json_values, st.tuples(st.sampled_from(SETTINGS), json_values)))
def test_any_value_is_parsed_or_refused(value):
    if isinstance(value, tuple):
        value = contacts(**{value[0]: value[1]})
    try:
        parse(value, element=CONNECTWISE)
    except InvalidPollerConfiguration as error:
        assert str(error)  # noqa: PT017


def test_half_a_surrogate_pair_is_no_text():
    with pytest.raises(InvalidPollerConfiguration, match="is not JSON"):
        parse('{"contacts": {"url": "/contacts?where=a=\'${\\ud800}\'"}}', element=CONNECTWISE)
