from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, StorageState

from connectors.sandbox import Sandbox
from events.receiver import Receiver
from tests.journeys.browser import chromium
from tests.journeys.browser.household import Household, lived_in
from tests.journeys.browser.visitor import DESK, Visitor
from tests.journeys.conftest import KEY, Client, polling_body, webhook_body
from tests.journeys.running import Stack

PASSWORD = "p4ss-word-x"
"""Of every account that `Stack.account` makes."""
OWNER, OPERATOR, VIEWER = "journeys@example.com", "operator@example.com", "viewer@example.com"

Visit = Callable[..., Visitor]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The walk over every page takes a minute, and `make pages` takes it; the stories look at the main pages."""
    if os.environ.get("EVERY_PAGE"):
        return
    left_out = [item for item in items if item.get_closest_marker("every_page")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium.running() as running:
        yield running


@pytest.fixture(scope="package")
def console(stack: Stack) -> str:
    return stack.url.removesuffix("elements/api-v2") + "console/"


@pytest.fixture(scope="package")
def people(stack: Stack, client: Client) -> None:
    """An operator and a viewer beside the owner, who is the client."""
    with stack.database() as database:
        for email, role in ((OPERATOR, "operator"), (VIEWER, "viewer")):
            database.execute(COLLEAGUE, {"email": email, "role": role, "owner": OWNER})


COLLEAGUE = """
    INSERT INTO instances_user SELECT (jsonb_populate_record(owner, jsonb_build_object(
        'id', nextval(pg_get_serial_sequence('instances_user', 'id')), 'email', %(email)s::text, 'role', %(role)s::text,
        'secret_hash', md5(%(email)s)))).*
    FROM instances_user owner WHERE email = %(owner)s ON CONFLICT DO NOTHING"""


@pytest.fixture(scope="package")
def signed_in(browser: Browser, console: str, people: None) -> Callable[[str], StorageState]:
    """The cookies of somebody who has signed in; once is enough for all stories."""
    known: dict[str, StorageState] = {}

    def cookies_of(email: str) -> StorageState:
        if email not in known:
            with browser.new_context() as context:
                visitor = Visitor(context, console)
                visitor.open("login/")
                visitor.sign_in(email, PASSWORD)
                known[email] = context.storage_state()
        return known[email]

    return cookies_of


@pytest.fixture(scope="package")
def household(client: Client) -> Iterator[Household]:
    """For stories that only look; those that change something make an instance of their own."""
    with (
        Sandbox.start(port=0, contacts=50, companies=5, tickets=20) as sandbox,
        Receiver.start(port=0, key=KEY) as receiver,
    ):
        made = lived_in(client, sandbox, receiver, polling_body(sandbox, receiver), webhook_body(sandbox, receiver))
        yield made
        for instance in (made.polling, made.help_desk):
            client.delete(f"/instances/{instance['id']}")


@pytest.fixture
def visit(
    browser: Browser,
    console: str,
    signed_in: Callable[[str], StorageState],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Visit]:
    """Opens a window: `visit(width=PHONE, who=VIEWER)`; `who=None` has not signed in yet."""
    visitors: list[Visitor] = []

    def begin(*, width: int = DESK, who: str | None = OWNER) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            storage_state=None if who is None else signed_in(who),
            reduced_motion="reduce",
        )
        visitors.append(Visitor(context, console))
        return visitors[-1]

    yield begin
    failed = getattr(request.node, "failed", False)
    troubles = []
    for number, visitor in enumerate(visitors):
        if failed:
            folder = tmp_path / f"window-{number}"
            folder.mkdir()
            with suppress(Error):
                kept = "\n".join(map(str, visitor.keep_a_picture(folder)))
                request.node.user_properties.append(("pictures", kept))
                print(f"{visitor.page.url}\n{kept}\n{visitor.troubles}")  # noqa: T201
        troubles += visitor.troubles
        visitor.context.close()
    assert failed or troubles == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.when == "call" and call.excinfo is not None:
        item.failed = True  # type: ignore[attr-defined]
    return report
