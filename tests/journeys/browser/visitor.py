"""Somebody with a browser window: what they see, what they click, and what went wrong meanwhile."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Response, TimeoutError, expect

PHONE, DESK = 390, 1440
"""Widths of windows."""
SECONDS = 20
"""How long a page of a busy machine may take to become what a story waits for."""
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth + 1"

expect.set_options(timeout=SECONDS * 1000)


class Visitor:
    """Remembers as troubles what no visit may cause: scripts that fail, refusals of the policy, missing files."""

    def __init__(self, context: BrowserContext, console: str) -> None:
        """`console` is where it begins: an absolute URL that ends in a slash."""
        self.console = console
        self.troubles: list[str] = []
        self.context = context
        context.set_default_timeout(SECONDS * 1000)
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.troubles.append(f"script failed: {error}"))
        self.page.on("console", self._listen)
        self.page.on("response", self._look_at)

    def _listen(self, message: ConsoleMessage) -> None:
        # "Failed to load resource" says that something was answered with an error, which stories may be about.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.troubles.append(f"the browser complained: {message.text}")

    def _look_at(self, response: Response) -> None:
        if response.status >= 500 or (response.status >= 400 and "/static/" in response.url):
            self.troubles.append(f"{response.url} was answered {response.status}")

    def open(self, path: str = "") -> Page:
        """`path` is below the console, or an absolute one."""
        self.page.goto(path if path.startswith("http") else self.console + path.removeprefix("/console/"))
        return self.page

    def sign_in(self, email: str, password: str) -> None:
        self.try_to_sign_in(email, password)
        self.page.wait_for_url(lambda url: "/login/" not in url)

    def try_to_sign_in(self, email: str, password: str) -> None:
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")

    def click(self, name: str, *, role: Any = "button") -> None:
        self.page.get_by_role(role, name=name, exact=True).click()

    def sees(self, words: str) -> Locator:
        """Waits until the page says so."""
        found = self.page.get_by_text(words).filter(visible=True).first
        expect(found).to_be_visible()
        return found

    def fits(self) -> bool:
        """Whether the page, not counting a table in its box, scrolls up and down only. Charts take a moment."""
        with suppress(TimeoutError):
            self.page.wait_for_function(FITS, timeout=2000)
            return True
        return False

    def keep_a_picture(self, folder: Path) -> list[Path]:
        """Of a story that failed: how the page looked, and what it was made of."""
        picture, source = folder / "page.png", folder / "page.html"
        self.page.screenshot(path=picture, full_page=True)
        source.write_text(self.page.content())
        return [picture, source]
