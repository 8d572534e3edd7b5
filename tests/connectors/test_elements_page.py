"""What docs/elements.md shows is what works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors import hub
from connectors.connection import Connection
from connectors.element import Client, Resource
from connectors.elements.connectwisecrmrest.definition import ELEMENT
from connectors.errors import OperationNotSupported
from connectors.sandbox import Sandbox
from tests.connectors.vendors.clients import configuration

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/elements.md").read_text()
FOLDER = ROOT / "tests/connectors/third_element/ledger"
FIRST, *OTHERS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=1, companies=1, tickets=1) as sandbox:
        yield sandbox


def test_resource_that_is_added_can_be_asked_for(sandbox):
    made: dict[str, Any] = {}
    exec(FIRST, made)
    added: Resource = made["WORK_TYPES"]
    element = replace(ELEMENT, resources=(*ELEMENT.resources, added))
    connection = Connection(element=element, configuration=configuration(sandbox))

    (found,) = orjson.loads(hub.find(connection, "work-types", where="name='Regular' AND inactiveFlag='false'").body)

    assert hub.get(connection, "work-types", str(found["id"])).fields["name"] == "Regular"
    with pytest.raises(OperationNotSupported):
        hub.create(connection, "work-types", {"name": "Night"})


@pytest.mark.parametrize("block", OTHERS, ids=range(len(OTHERS)))
def test_code_of_the_new_element_is_that_of_the_tests(block):
    first_line, code = block.split("\n", 1)

    assert code in (FOLDER / first_line.removeprefix("# ")).read_text()


def test_definition_is_shown_whole():
    assert OTHERS[0].split("\n", 1)[1] == (FOLDER / "definition.py").read_text()


def test_every_method_of_a_client_is_named():
    methods = {name for name in vars(Client) if not name.startswith("_")}

    assert len(methods) == 9
    assert [name for name in methods if f"`{name}`" not in PAGE] == []


def test_everything_a_resource_says_is_named():
    section = PAGE.partition("## Add a resource")[2].partition("## Add an element")[0]
    said = set(Resource.__dataclass_fields__) - {"name", "path", "is_vendors"}

    assert [name for name in said if f"`{name}`" not in section] == []
