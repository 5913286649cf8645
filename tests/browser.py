"""A real browser for tests of pages: the system's Chromium, started once per module, and what it complained of."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """A running browser without a window."""
    playwright = pytest.importorskip("playwright.async_api")
    async with playwright.async_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        running = await driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield running
        finally:
            await running.close()


@dataclass(slots=True)
class Tab:
    """One page and every error that the browser told about it."""

    page: Any
    complaints: list[str] = field(default_factory=list)

    async def text(self, selector: str = "main") -> str:
        """What a person reads there, without the spaces that keep a number and its unit together."""
        found: str = await self.page.inner_text(selector)
        return found.replace("\u00a0", " ")

    async def go(self, screen: str) -> None:
        """To another screen, by its link."""
        await self.page.get_by_role("navigation").get_by_role("link", name=screen).click()
        await self.page.wait_for_selector(f"nav a[aria-current]:text-is('{screen}')")

    async def sign_in(self, key: str) -> None:
        """By the form, as a person does."""
        await self.page.get_by_role("button", name="Sign in", exact=True).first.click()
        await self.page.fill("input[name=key]", key)
        await self.page.keyboard.press("Enter")
        await self.page.get_by_role("button", name="Sign out").first.wait_for()

    async def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        wide: int = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide


@asynccontextmanager
async def tab(browser: Any, url: str, **options: Any) -> AsyncIterator[Tab]:
    """A fresh page at `url`, with a memory of its own."""
    context = await browser.new_context(**{"viewport": DESK, **options})
    found = Tab(await context.new_page())
    found.page.set_default_timeout(15_000)
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on(
        "console",
        lambda m: found.complaints.append(m.text) if m.type in ("error", "warning") else None,
    )
    try:
        await found.page.goto(url)
        await found.page.wait_for_selector("main > *:not(.loading)")
        yield found
    finally:
        await context.close()
