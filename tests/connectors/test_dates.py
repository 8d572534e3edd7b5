from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.dates import (
    ISO,
    check_macros,
    check_pattern,
    check_zone,
    expand_macros,
    format_date,
    parse_date,
)
from connectors.errors import InvalidQuery

MOMENT = datetime(2018, 1, 15, 20, 5, 9, 123456, tzinfo=UTC)


# --- patterns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern, zone, text",
    [
        (ISO, "GMT", "2018-01-15T20:05:09Z"),
        (ISO, "", "2018-01-15T20:05:09Z"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "MST", "2018-01-15T13:05:09.123-0700"),
        ("yyyy-MM-dd HH:mm:ss X", "-6:00", "2018-01-15 14:05:09 -06"),
        ("yyyy-MM-dd HH:mm:ss XX", "+05:30", "2018-01-16 01:35:09 +0530"),
        ("yyyy-MM-dd HH:mm:ss XXX", "America/Denver", "2018-01-15 13:05:09 -07:00"),
        ("HH:mm:ssXXX", "GMT", "20:05:09Z"),
        ("yy-M-d H:m:s", "GMT", "18-1-15 20:5:9"),
        ("EEE, dd MMM yyyy hh:mm:ss a z", "GMT", "Mon, 15 Jan 2018 08:05:09 PM GMT"),
        ("EEEE d MMMM yyyy h a z", "PST", "Monday 15 January 2018 12 PM PST"),
        ("yyyy-MM-dd z", "America/Denver", "2018-01-15 MST"),
        ("yyyyMMddHHmmssSSS", "GMT", "20180115200509123"),
        ("yyyy 'o''clock' ''HH''", "GMT", "2018 o'clock '20'"),
        ("''''yyyy", "GMT", "''2018"),
        ("yyyy.MM/dd, Zoë", "GMT", None),
        ("milliseconds", "", "1516046709123"),
        ("epoch", "", "1516046709123"),
        ("epoch:s", "", "1516046709"),
        ("epoch:us", "", "1516046709123456"),
    ],
)
def test_a_moment_is_written_by_the_pattern(pattern, zone, text):
    if text is None:
        with pytest.raises(InvalidQuery):
            format_date(MOMENT, pattern=pattern, zone=zone)
    else:
        assert format_date(MOMENT, pattern=pattern, zone=zone) == text


AT = datetime(2018, 1, 15, 20, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value, pattern, zone, moment",
    [
        ("2018-01-15T20:05:09Z", ISO, "GMT", AT),
        ("  2018-01-15T20:05:09Z ", ISO, "GMT", AT),
        # A quoted Z is a letter: the zone of the configuration decides.
        ("2018-01-15T13:05:09Z", ISO, "America/Denver", AT),
        ("2018-07-15T14:05:09Z", ISO, "America/Denver", datetime(2018, 7, 15, 20, 5, 9, tzinfo=UTC)),
        ("2018-07-15T13:05:09Z", ISO, "MST", datetime(2018, 7, 15, 20, 5, 9, tzinfo=UTC)),
        ("2018-01-15 14:05:09", "yyyy-MM-dd HH:mm:ss", "-6:00", AT),
        ("2018-01-15 22:05:09", "yyyy-MM-dd HH:mm:ss", "GMT+2", AT),
        ("2018-01-15T13:05:09.000-0700", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "GMT", AT),
        ("2018-01-15T13:05:09-07", "yyyy-MM-dd'T'HH:mm:ssX", "GMT", AT),
        ("2018-01-15T20:05:09Z", "yyyy-MM-dd'T'HH:mm:ssX", "MST", AT),
        ("2018-01-15T13:05:09-0700", "yyyy-MM-dd'T'HH:mm:ssXX", "GMT", AT),
        ("2018-01-15T13:05:09-07:00", "yyyy-MM-dd'T'HH:mm:ssXXX", "GMT", AT),
        ("mon, 15 jan 2018 08:05:09 pm", "EEE, dd MMM yyyy hh:mm:ss a", "", AT),
        ("15 January 2018 12:05:09 PM PST", "d MMMM yyyy hh:mm:ss a z", "GMT", AT),
        ("15 Jan 2018 12:05:09 AM", "d MMM yyyy hh:mm:ss a", "", datetime(2018, 1, 15, 0, 5, 9, tzinfo=UTC)),
        ("1/15/18 20:05:09", "M/d/yy HH:mm:ss", "GMT", AT),
        ("1/15/69 20:05:09", "M/d/yy HH:mm:ss", "GMT", AT.replace(year=1969)),
        ("20180115200509", "yyyyMMddHHmmss", "GMT", AT),
        (20180115200509, "yyyyMMddHHmmss", "GMT", AT),
        (1516046709000, "milliseconds", "", AT),
        ("1516046709000", "milliseconds", "", AT),
        (1516046709000.0, "epoch:ms", "", AT),
        (1516046709, "epoch:s", "", AT),
        (1516046709000000, "epoch:us", "", AT),
        (-1000, "milliseconds", "", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        # ISO 8601 when the pattern does not fit.
        ("2018-01-15T20:05:09.000Z", ISO, "GMT", AT),
        ("2018-01-15T13:05:09-07:00", ISO, "GMT", AT),
        ("2018-01-15T13:05:09-07:00", ISO, "MST", AT),
        ("2018-01-15T20:05:09", "dd.MM.yyyy", "GMT", AT),
        ("2018-01-15T13:05:09", "dd.MM.yyyy", "MST", AT),
        ("2018-01-15T20:05:09Z", "milliseconds", "", AT),
        ("2018-01-15T20:05:09Z", "yyyy-MM-dd", "GMT", AT),
        ("2018-01-15", ISO, "GMT", datetime(2018, 1, 15, tzinfo=UTC)),
        # Far away, but moments.
        ("0001-01-01T00:00:00Z", ISO, "GMT", datetime(1, 1, 1, tzinfo=UTC)),
        ("2099-12-31T23:59:59Z", ISO, "GMT", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
        # Under the configured zone it is before all calendars, as ISO it is not.
        ("0001-01-01T00:00:00Z", ISO, "+06:00", datetime(1, 1, 1, tzinfo=UTC)),
        # None of these is a moment.
        ("0001-01-01T00:00:00+06:00", ISO, "GMT", None),
        ("9999-12-31T23:59:59-06:00", ISO, "GMT", None),
        ("0000-00-00T00:00:00Z", ISO, "GMT", None),
        ("2018-02-31T00:00:00Z", ISO, "GMT", None),
        ("15 Foo 2018", "dd MMM yyyy", "GMT", None),
        ("15 Jan 2018 XYZ", "dd MMM yyyy z", "GMT", None),
        ("", ISO, "GMT", None),
        ("soon", ISO, "GMT", None),
        ("\ud800\x00", ISO, "GMT", None),
        (None, ISO, "GMT", None),
        (True, ISO, "GMT", None),
        (True, "milliseconds", "GMT", None),
        ({}, ISO, "GMT", None),
        ([], "milliseconds", "GMT", None),
        (1516046709000, ISO, "GMT", None),
        (10**400, ISO, "GMT", None),
        (10**19, "milliseconds", "", None),
        (float("inf"), "milliseconds", "", None),
        (float("nan"), "milliseconds", "", None),
    ],
)
def test_a_stamp_is_read_by_the_pattern_or_as_iso_or_is_none(value, pattern, zone, moment):
    found = parse_date(value, pattern=pattern, zone=zone)

    assert found == moment
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    "pattern, message",
    [
        ("", "a date pattern is missing"),
        ("yyyy-QQ", "'yyyy-QQ' is no date pattern: 'QQ' is not known"),
        ("yyyyy", "'yyyyy' is no date pattern: 'yyyyy' is not known"),
        ("yyyy'T", '"yyyy\'T" is no date pattern: a quote is not closed'),
        ("HH:mm", "'HH:mm' is no date pattern: it has no year"),
        ("y" * 101, "a date pattern of more than 100 characters"),
    ],
)
def test_a_bad_pattern_is_refused_with_what_is_wrong(pattern, message):
    with pytest.raises(InvalidQuery) as error:
        check_pattern(pattern)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "zone", ["", "GMT", "UTC", "MST", "PDT", "-6:00", "+06:00", "+0530", "GMT+2", "America/Denver"]
)
def test_each_kind_of_zone_is_known(zone):
    check_zone(zone)


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "America", "../../etc/passwd", "/etc/passwd", "+24:00", "-6:99", "XYZ", "a" * 300, "\x00"]
)
def test_an_unknown_zone_is_refused_by_name(zone):
    with pytest.raises(InvalidQuery, match="is no time zone: use one like GMT, MST, -06:00 or America/Denver"):
        check_zone(zone)


whole_patterns = st.sampled_from(
    [
        ISO,
        "yyyy-MM-dd'T'HH:mm:ssXXX",
        "yyyy-MM-dd'T'HH:mm:ssZ",
        "yyyyMMddHHmmss",
        "EEE, dd MMM yyyy HH:mm:ss z",
        "EEEE d MMMM yyyy, h.m.s a XX",
        "d/M/yyyy hh'h'mm ''a'' s",
        "epoch:s",
        "milliseconds",
    ]
)
zones = st.sampled_from(["", "GMT", "UTC", "MST", "EDT", "-6:00", "+05:30", "GMT+2"])
seconds = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)


@settings(max_examples=60, deadline=None)
@given(seconds, whole_patterns, zones)
def test_what_is_written_by_a_pattern_is_read_back(moment, pattern, zone):
    text = format_date(moment, pattern=pattern, zone=zone)

    assert parse_date(text, pattern=pattern, zone=zone) == moment


odd_values = st.one_of(
    st.text(),
    st.integers(),
    st.floats(),
    st.none(),
    st.booleans(),
    st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?\Z"),
)


@settings(max_examples=60, deadline=None)
@given(odd_values, whole_patterns, zones)
def test_no_value_makes_reading_a_stamp_fail(value, pattern, zone):
    found = parse_date(value, pattern=pattern, zone=zone)

    assert found is None or found.utcoffset() == timedelta(0)


# --- macros ---------------------------------------------------------------------------------------------------------

MIDNIGHT = datetime(2018, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "url, expanded",
    [
        (
            "/hubs/crm/contacts?where=lastUpdated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
            "/hubs/crm/contacts?where=lastUpdated>'2018-01-15T00:00:00Z'",
        ),
        ("${date:yyyy-MM-dd HH:mm}", "2018-01-15 00:00"),
        ("${date}", "2018-01-15T00:00:00Z"),
        ("${dateTimeZone:MST:yyyy-MM-dd'T'HH:mm:ss}", "2018-01-14T17:00:00"),
        ("${DateTimeZone:PST:HH:mm}", "16:00"),
        ("${dateTimeZone:-6:00:yyyy-MM-dd HH:mm}", "2018-01-14 18:00"),
        ("${dateTimeZone:-6:HH:mm}", "18:00"),
        ("${dateTimeZone:+06:00:HH:mm:ss}", "06:00:00"),
        ("${dateTimeZone:+0530:HH:mm:ss}", "05:30:00"),
        ("${dateTimeZone:GMT+2:HH:mm}", "02:00"),
        ("${dateTimeZone:America/Denver:HH:mm}", "17:00"),
        ("${dateTimeZone::HH:mm}", "00:00"),
        ("${epoch}", "1515974400000"),
        ("${epoch:ms}", "1515974400000"),
        ("${epoch:s}", "1515974400"),
        ("${epoch:us}", "1515974400000000"),
        ("${milliseconds}", "1515974400000"),
        ("a=${epoch:s}&b=${epoch:s}}", "a=1515974400&b=1515974400}"),
        # The decoder that comes after would make a space of a bare plus.
        ("${dateTimeZone:+06:00:HHXXX}", "06%2B06:00"),
        # Not ours: nothing is evaluated, nothing is expanded twice.
        ("{{7*7}} $x {gmtDate:yyyy} %24%7Bepoch%7D $ {epoch}", "{{7*7}} $x {gmtDate:yyyy} %24%7Bepoch%7D $ {epoch}"),
        ("${gmtDate:'$''{epoch'}}", "$'{epoch}"),
        ("", ""),
    ],
)
def test_each_macro_writes_the_moment(url, expanded):
    assert expand_macros(url, MIDNIGHT) == expanded


@pytest.mark.parametrize(
    "url, message",
    [
        (
            "/a?b=${foo}",
            "url has the unknown macro ${foo}; known are gmtDate, date, dateTimeZone, epoch and milliseconds",
        ),
        ("${}", "url has the unknown macro ${}; known"),
        ("${GMTDATE:yyyy}", "url has the unknown macro ${GMTDATE:yyyy}; known"),
        ("${gmtDate}", "url has the unknown macro ${gmtDate}; known"),
        ("${epoch:ns}", "url has the unknown macro ${epoch:ns}; known"),
        ("${milliseconds:ms}", "url has the unknown macro ${milliseconds:ms}; known"),
        ("${jndi:ldap://x/a}", "url has the unknown macro ${jndi:ldap://x/a}; known"),
        ("${7*7}", "url has the unknown macro ${7*7}; known"),
        ("${gmtDate:yyyy", "url has a macro that no } closes: ${gmtDate:yyyy"),
        ("${gmtDate:}", "url has the macro ${gmtDate:}: a date pattern is missing"),
        (
            "${gmtDate:${gmtDate:yyyy}}",
            "url has the macro ${gmtDate:${gmtDate:yyyy}: '${gmtDate:yyyy' is no date pattern",
        ),
        (
            "${gmtDate:yyyy'T}",
            "url has the macro ${gmtDate:yyyy'T}: \"yyyy'T\" is no date pattern: a quote is not closed",
        ),
        ("${dateTimeZone:MST}", "url has the macro ${dateTimeZone:MST}, which needs a zone and a date pattern"),
        ("${dateTimeZone:Foo/Bar:yyyy}", "url has the macro ${dateTimeZone:Foo/Bar:yyyy}: 'Foo/Bar' is no time zone"),
    ],
)
def test_a_macro_that_cannot_be_expanded_is_named(url, message):
    with pytest.raises(InvalidQuery) as error:
        check_macros(url)
    assert str(error.value).startswith(message)


NAMES = ["gmtDate", "dateTimeZone", "DateTimeZone", "date", "epoch", "milliseconds"]
ARGUMENTS = ["yyyy-MM-dd", "HH:mm", ":ms", ":s", "MST", "-6:00", "America/Denver"]
macro_pieces = st.sampled_from([*"${}:'+-TZ ", *NAMES, *ARGUMENTS, "${", "{{7*7}}", "\n", "é", "\ud800"])
sane_moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=6))]))


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.lists(macro_pieces, max_size=15).map("".join), st.text()), sane_moments)
@example("${" * 5_000, MOMENT)
@example("${dateTimeZone:-6:00:yyyy}", datetime(1, 1, 1, tzinfo=UTC))
def test_any_text_expands_or_is_an_invalid_query(text, moment):
    try:
        expanded = expand_macros(text, moment)
    except InvalidQuery:
        return
    if "${" not in text:
        assert expanded == text
