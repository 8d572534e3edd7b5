"""The rows of a list: what stands beside a cell where rows are cards, and what a row costs."""

from __future__ import annotations

import re

from django.template import base
from django.test import Client
from django.test.signals import template_rendered

from tests.factories import InstanceFactory

LIST = "/console/instances/instance/"


def templates_of(console: Client) -> int:
    """How many templates a list takes."""
    rendered: list[base.Template] = []

    def note(template: base.Template, **_more: object) -> None:
        rendered.append(template)

    template_rendered.connect(note)
    try:
        assert console.get(LIST).status_code == 200
    finally:
        template_rendered.disconnect(note)
    return len(rendered)


def test_each_cell_is_labelled_by_its_header(console, viewer, owner):
    InstanceFactory.create(user=owner, name="Acme")

    row = console.get(f"{LIST}?o=1").content.decode().partition("<tbody")[2]

    assert re.findall(r'data-label="([^"]*)"', row) == [
        *("Select record", "Name", "Element", "State", "Events", "Tags", "Created")
    ]
    assert re.search(r'<th class="field-title [^>]*><a href="[^"]*/change/\?_changelist_filters=o%3D1"', row)
    seen_by_viewer = viewer.get(LIST).content.decode().partition("<tbody")[2]
    assert 'data-label="Name"' in seen_by_viewer
    assert "Select record" not in seen_by_viewer


def test_a_row_is_made_without_templates(console, viewer, owner):
    InstanceFactory.create(user=owner)
    few = templates_of(console), templates_of(viewer)
    InstanceFactory.create_batch(3, user=owner)

    assert (templates_of(console), templates_of(viewer)) == few
