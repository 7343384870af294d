"""The teacher's slides and handout in a browser: no slide overflows at 16:9, the handout prints on two pages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from microx_utils.course.outline import load_course
from microx_utils.publish.teaching import TEACHING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

DECKS = [entry.id for entry in load_course().notebooks]
OVERFLOW = """
() => [...document.querySelectorAll("section")].map((slide, number) => {
    document.querySelectorAll("section").forEach((each) => each.classList.toggle("shown", each === slide));
    const box = slide.getBoundingClientRect();
    const inner = [...slide.querySelectorAll("*")].map((each) => each.getBoundingClientRect());
    const picture = slide.querySelector("img");
    return {
        number, heading: slide.querySelector("h1, h2").textContent,
        over: Math.max(slide.scrollHeight - slide.clientHeight, slide.scrollWidth - slide.clientWidth,
                       ...inner.map((each) => Math.max(each.bottom - box.bottom, each.right - box.right))),
        broken: picture ? picture.naturalWidth === 0 : false,
        picture: picture ? picture.getBoundingClientRect().height / box.height : 1,
    };
})
"""


@pytest.fixture(scope="module")
def page(chromium: "Browser") -> "Iterator[Page]":
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    yield page
    page.close()


@pytest.mark.parametrize("name", DECKS)
def test_no_slide_overflows(page: "Page", name: str) -> None:
    page.goto((TEACHING / "slides" / f"{name}.html").as_uri())
    slides: list[dict[str, Any]] = page.evaluate(OVERFLOW)
    assert len(slides) > 4
    assert [slide for slide in slides if slide["over"] > 1] == []
    assert [slide for slide in slides if slide["broken"]] == []
    assert [slide for slide in slides if slide["picture"] < 0.35] == [], "text leaves too little room for the figure"


def test_keys_turn_the_slides_and_show_the_notes(page: "Page") -> None:
    page.goto((TEACHING / "slides" / f"{DECKS[0]}.html").as_uri())
    first = page.inner_text("section.shown")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("section.shown") != first
    assert not page.is_visible("section.shown + aside")
    page.keyboard.press("n")
    assert page.is_visible("section.shown + aside")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("section.shown") == first


def test_handout_is_two_pages(page: "Page", tmp_path: Path) -> None:
    page.goto((TEACHING / "handout.html").as_uri())
    assert page.evaluate("[...document.images].every((each) => each.naturalWidth && each.alt.length > 20)")
    printed = page.pdf(path=str(tmp_path / "handout.pdf"), format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2
