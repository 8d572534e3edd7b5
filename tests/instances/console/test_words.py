from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.template import engines
from django.template.loader import render_to_string
from django.utils import timezone

from instances.console.moments import relative

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (timedelta(seconds=-2), "just now"),
        (timedelta(seconds=3), "in a moment"),
        (timedelta(seconds=-59), "59 seconds ago"),
        (timedelta(seconds=-60), "1 minute ago"),
        (timedelta(hours=2, minutes=59), "in 2 hours"),
        (timedelta(days=-3), "3 days ago"),
    ],
)
def test_moments_are_said_as_people_say_them(apart: timedelta, said: str) -> None:
    assert relative(NOON + apart, now=NOON) == said


def test_a_moment_is_for_machines_for_people_and_for_those_who_ask_precisely() -> None:
    long_ago = timezone.now() - timedelta(days=400, minutes=1)
    precisely = long_ago.strftime("%Y-%m-%d %H:%M:%S UTC")

    shown = rendered("{{ at|moment }} {{ at|ago }} {{ none|ago:'not yet' }}", at=long_ago, none=None)

    assert f'datetime="{long_ago.strftime("%Y-%m-%dT%H:%M:%SZ")}">{precisely}</time>' in shown
    assert f'title="{precisely}" data-relative>400 days ago</time>' in shown
    assert ">not yet</span>" in shown


def test_a_badge_has_the_tone_of_its_word_or_the_one_it_is_given() -> None:
    shown = rendered("{{ 'abandoned'|badge }} {{ 'reads slowly'|badge:'warning' }} {{ '<b>'|badge }}")

    assert shown == (
        '<span class="console-badge is-bad">Abandoned</span> '
        '<span class="console-badge is-warning">Reads slowly</span> '
        '<span class="console-badge is-plain">&lt;b&gt;</span>'
    )


def test_foreign_text_is_text_out_of_reach_of_scripts() -> None:
    text = '<script>alert(1)</script></pre><div x-init="alert(2)">{{ 7*7 }}'

    shown = render_to_string("console/foreign_text.html", {"text": text, "label": "What the receiver answered"})

    assert not [one for one in ("<script", "<div", "49") if one in shown]
    assert shown.index("x-ignore") < shown.index("&lt;script&gt;")
    assert shown.count("</pre>") == 1


def rendered(source: str, **context: object) -> str:
    return engines["django"].from_string("{% load console %}" + source).render(context)
