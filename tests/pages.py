"""A real browser for tests of pages: the Chromium of the system, without a window and without sound."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""Chromium itself; the one that Playwright would fetch cannot play H.264."""
ARGUMENTS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio")


@contextlib.contextmanager
def browser(*arguments: str) -> Iterator[Any]:
    """Yield a browser of Playwright; the test is skipped where it or Chromium is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=[*(arguments or ARGUMENTS)])
        try:
            yield opened
        finally:
            opened.close()
