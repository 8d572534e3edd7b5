from __future__ import annotations

import pytest

from connectors.element import EVERYTHING, READING, Resource
from connectors.hub_paths import Target
from instances.hub_api import supported_verbs


@pytest.mark.parametrize(
    ("resource", "collection", "record"),
    [
        (
            Resource(name="contacts", path="/c", operations=EVERYTHING),
            ["GET", "HEAD", "POST"],
            ["GET", "HEAD", "PUT", "PATCH", "DELETE"],
        ),
        (Resource(name="contacts", path="/c", operations=READING), ["GET", "HEAD"], ["GET", "HEAD"]),
        (
            Resource(name="entries", path="/t", operations=frozenset({"list", "create", "delete"})),
            ["GET", "HEAD", "POST"],
            ["DELETE"],
        ),
        (
            Resource(
                name="comments",
                path="/n",
                operations=frozenset({"list", "create", "update"}),
                created_by=frozenset({"PUT", "POST"}),
            ),
            ["GET", "HEAD", "POST", "PUT"],
            ["PATCH"],
        ),
        (
            Resource(name="parts", path="/p", operations=frozenset({"create"}), created_by=frozenset({"PUT"})),
            ["PUT"],
            [],
        ),
    ],
)
def test_verbs_follow_from_the_operations_that_the_element_declares(resource, collection, record):
    assert supported_verbs(Target(collection="c", resource=resource)) == collection
    assert supported_verbs(Target(collection="c", resource=resource, record_id="1")) == record
