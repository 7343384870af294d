"""The book in a browser, as wide as a phone and as a desk: axe-core finds no fault, nothing sticks out or is fetched.

These tests look at the site that `make book` has built, and need Node's npm for axe-core.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from microx_utils.support import paths

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SITE = paths.BUILD / "book" / "html"
PAGES = [
    "index.html",
    "notebooks/00_start_here.html",
    "notebooks/02_openface_preprocessing.html",
    "notebooks/04_model_building.html",
    "figures/README.html",
    "figures/claims.html",
    "reference/pipeline.html",
    "teaching/README.html",
    "report/report.html",
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
MORE = {"heading-order": {"enabled": True}, "page-has-heading-one": {"enabled": True}}
LOADING = 120_000  # ms; a page of claims is long


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, as pinned in axe/package-lock.json."""
    if not (SITE / "index.html").is_file():
        pytest.skip("no book to look at: make book")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to get axe-core with (apt-get install npm)")
    folder = tmp_path_factory.mktemp("axe")
    for file in (Path(__file__).parent / "axe").iterdir():
        shutil.copy(file, folder)
    subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, timeout=300)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=[390, 1280])
def page(request: pytest.FixtureRequest, chromium: "Browser", axe: str) -> "Iterator[Page]":
    page = chromium.new_page(viewport={"width": request.param, "height": 900})
    page.set_default_timeout(LOADING)
    yield page
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_by_everybody(page: "Page", axe: str, name: str, theme: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.goto((SITE / name).as_uri())
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == [], "fetched from elsewhere"
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 1, f"sticks out by {wide} px"
    page.evaluate(axe)
    options = {"runOnly": {"type": "tag", "values": RULES}, "rules": MORE}
    found: list[dict[str, Any]] = page.evaluate("options => axe.run(options).then((all) => all.violations)", options)
    said = [(fault["id"], len(fault["nodes"]), fault["nodes"][0]["html"][:200]) for fault in found]
    assert said == []


def test_the_keyboard_reaches_search_contents_and_the_code_of_a_figure(page: "Page") -> None:
    page.goto((SITE / "notebooks" / "00_start_here.html").as_uri())
    page.keyboard.press("Tab")
    assert "main content" in page.evaluate("document.activeElement.textContent").lower()
    folded = page.locator("details.hide", has_text="Show the code of this figure").first
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert folded.evaluate("each => each.open")
    assert "lesson.show(" in folded.inner_text()
