"""The book in a browser, as wide as a phone and as a desk: axe-core finds no fault, nothing sticks out or is fetched.

These tests look at every page of the site that `make book` has built, and need Node's npm for axe-core.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from notebook_page import SCREENSHOTS

from microx_utils.course.outline import load_course
from microx_utils.support import cache, paths

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SITE = paths.BUILD / "book" / "html"
FIRST = "index.html"
PAGES = sorted(page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html") if "_static" not in page.parts)
LOOKS = [(390, "light"), (1280, "dark"), (390, "dark"), (1280, "light")]
"""Widths in px and themes. The first two are those of every page; the others change what the first page has too."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
MORE = {"heading-order": {"enabled": True}, "page-has-heading-one": {"enabled": True}}
LOADING = 120_000  # ms; a page of claims is long
NO_WORDS = r"^\s*$|\.(png|jpg|svg)$"
"""What is no alt text, though axe-core takes the name of a file for one."""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, as pinned in axe/package-lock.json."""
    if not PAGES:
        pytest.skip("no book to look at: make book")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to get axe-core with (apt-get install npm)")
    folder = tmp_path_factory.mktemp("axe")
    for file in (Path(__file__).parent / "axe").iterdir():
        shutil.copy(file, folder)
    subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, timeout=300)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(chromium: "Browser", axe: str) -> "Iterator[Page]":
    page = chromium.new_page()
    page.set_default_timeout(LOADING)
    yield page
    page.close()


def look(page: "Page", width: int, theme: str) -> None:
    """Show the page so wide and in that theme."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)


@pytest.mark.parametrize("name", PAGES or [FIRST])
def test_a_page_can_be_read_by_everybody(page: "Page", axe: str, name: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": LOOKS[0][0], "height": 900})  # what scrolls gets its tab stop as the page loads
    page.goto((SITE / name).as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == [], "fetched from elsewhere"
    said: list[str] = page.evaluate("[...document.images].map((each) => each.alt)")
    assert [alt for alt in said if re.search(NO_WORDS, alt)] == [], "no alt text"
    page.add_style_tag(content="* { transition: none !important }")  # or a colour may be seen on its way to another
    page.evaluate(axe)
    options = {"runOnly": {"type": "tag", "values": RULES}, "rules": MORE, "resultTypes": ["violations"]}
    for width, theme in LOOKS if name == FIRST else LOOKS[:2]:
        look(page, width, theme)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, f"sticks out by {wide} px at {width}"
        found: list[dict[str, Any]] = page.evaluate("each => axe.run(each).then((all) => all.violations)", options)
        faults = [(fault["id"], len(fault["nodes"]), fault["nodes"][0]["html"][:200]) for fault in found]
        assert faults == [], f"{theme}, {width} px"


def test_every_notebook_has_a_page(axe: str) -> None:
    assert {f"notebooks/{entry.id}.html" for entry in load_course().notebooks} <= set(PAGES)


def test_the_keyboard_reaches_search_contents_and_the_code_of_a_figure(page: "Page") -> None:
    page.goto((SITE / "notebooks" / "00_start_here.html").as_uri())
    page.keyboard.press("Tab")
    assert "main content" in page.evaluate("document.activeElement.textContent").lower()
    folded = page.locator("details.hide", has_text="Show the code of this figure").first
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert folded.evaluate("each => each.open")
    assert "lesson.show(" in folded.inner_text()


def test_a_chapter_shows_its_first_figures_and_is_photographed_for_the_readme(page: "Page") -> None:
    page.goto((SITE / "notebooks" / "02_openface_preprocessing.html").as_uri())
    look(page, 800, "light")
    page.get_by_role("heading", name="Whose left?").evaluate("each => each.scrollIntoView()")
    assert page.evaluate("[...document.images].every((each) => each.naturalWidth > 0)")
    if os.environ.get(SCREENSHOTS):
        with cache.atomic_file(paths.ROOT / "book" / "chapter.png") as temporary:
            temporary.write_bytes(page.screenshot(animations="disabled"))
