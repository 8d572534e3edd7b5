"""What is wrong is said at its field, in the words of the API, and all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from connectors import configuration_entries as keys
from connectors import registry
from instances import configuration
from instances.console import form_fields, form_problems
from instances.console.form_data import Wanted
from tests.factories import CONNECTWISE

CRM, DESK = registry.element("connectwisecrmrest"), registry.element("connectwisehd")
BLANK = configuration.blank(CRM)


def wanted(sent: Mapping[str, Any], *, name: str = "Acme") -> Wanted:
    return Wanted(name=name, tags=None, configuration=sent)


def test_everything_is_told_at_once_at_its_field() -> None:
    problems = form_problems.problems_of(
        wanted({"company": "acme", keys.CALLBACK_URL: "ftp://a.example", keys.REFRESH_INTERVAL: "soon"}, name=""),
        BLANK,
    )

    assert [one.key for one in problems] == [
        "instance-name",
        keys.CALLBACK_URL,
        keys.REFRESH_INTERVAL,
        "baseUrl",
        "public.key",
        "private.key",
    ]
    told = {one.key: one for one in form_problems.told(form_fields.fields_of(CRM), problems, {})}
    assert told[keys.REFRESH_INTERVAL].problem == "Send a number of minutes, such as 15 or 0.5"
    assert told["baseUrl"].problem == "This is missing"
    assert told["company"].problem == ""


def test_what_is_not_typed_yet_is_no_problem_yet() -> None:
    sent = wanted({keys.POLLER_CONFIGURATION: '{\n"contacts": {]'}, name="")

    problems = form_problems.problems_of(sent, BLANK, typed_so_far=True)

    assert [(one.key, one.at_field) for one in problems] == [
        (keys.POLLER_CONFIGURATION, "Is not JSON at line 2, column 14")
    ]


@pytest.mark.parametrize(
    "sent",
    [
        {keys.CALLBACK_URL: "https://user:word@a.example/"},
        {keys.REFRESH_INTERVAL: "0.001"},
        {keys.POLLER_CONFIGURATION: {"contacts": {"url": "/hubs/crm/contacts"}}},
        {keys.RETRY_SCHEDULE: "10,5"},
        {keys.SIGNATURE_OVERLAP: "-1"},
        {keys.NOTIFICATION_RAW: "half"},
        {keys.CALLBACK_TYPES: "ticket"},
    ],
    ids=lambda sent: next(iter(sent)),
)
def test_words_are_those_of_the_api(api, sent) -> None:
    [problem] = form_problems.problems_of(wanted(CONNECTWISE | sent), BLANK)

    answer = api.post("/instances", {"element": {"key": CRM.key}, "name": "Acme", "configuration": CONNECTWISE | sent})
    assert answer.status_code == 400
    assert answer.json()["message"] == problem.message
    assert problem.key == next(iter(sent))


def test_answer_of_the_provider_goes_to_the_fields_that_it_is_about() -> None:
    fields = form_fields.fields_of(CRM)
    message = "ConnectWise refused the credentials; check baseUrl, public.key and private.key"

    [problem] = form_problems.problems_said(message, "Unauthorized", fields)

    assert (problem.key, problem.others, problem.provider_message) == (
        "baseUrl",
        ("public.key", "private.key"),
        "Unauthorized",
    )
    told = {one.key: one.problem for one in form_problems.told(fields, [problem], {}) if one.problem}
    assert told["baseUrl"] == message
    assert set(told) == {"baseUrl", "public.key", "private.key"}
    [unnamed] = form_problems.problems_said("Others kept changing this instance", "", fields)
    assert unnamed.key == ""


POLLER = CRM.poller_configuration["contacts"]


@pytest.mark.parametrize(
    ("sent", "key", "words"),
    [
        ({}, keys.CALLBACK_URL, "sent nowhere"),
        ({keys.CALLBACK_URL: "http://a.example/"}, keys.CALLBACK_URL, "unencrypted"),
        ({keys.SIGNATURE_KEY: "short"}, keys.SIGNATURE_KEY, "Shorter than 24"),
        (
            {keys.POLLER_CONFIGURATION: {"contacts": {**POLLER, "url": "/hubs/crm/contacts"}}},
            keys.POLLER_CONFIGURATION,
            "contacts: its URL has no where clause",
        ),
        ({keys.POLLER_CONFIGURATION: "{}"}, keys.POLLER_CONFIGURATION, "no change will be noticed"),
    ],
)
def test_advice_is_given_on_what_works_and_may_not_be_meant(sent: dict[str, Any], key: str, words: str) -> None:
    on = wanted({**CONNECTWISE, keys.EVENTS_ENABLED: True, **sent})

    assert words in " ".join(form_problems.advice_of(on, BLANK)[key])
    assert form_problems.advice_of(wanted(CONNECTWISE | sent), BLANK) == {}


def test_default_configurations_need_no_advice() -> None:
    sent = {keys.EVENTS_ENABLED: True, keys.CALLBACK_URL: "https://a.example/", keys.SIGNATURE_KEY: "k" * 24}
    for element in (CRM, DESK):
        advice = form_problems.advice_of(wanted(sent), configuration.blank(element))
        assert not any(advice.values())
