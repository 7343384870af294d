"""The harness itself, on a small notebook: what a widget shows after keys and choices, errors in place, no flicker."""

from collections.abc import Callable
from pathlib import Path

import pytest
from notebook_factory import write_notebook
from notebook_page import NARROW, WIDE, NotebookPage, WidgetOnPage

pytestmark = pytest.mark.browser

SHADES = """
import numpy as np
from microx_utils.widgets.live import Live, choice, slider
from microx_utils.widgets.shown import Seen

def shade(value, name):
    if value == 3:
        raise ValueError("3 is <unlucky>")
    picture = np.full((64, 96, 3), 20 * value, np.uint8)
    return {"picture": Seen(picture, f"grey {20 * value}"), "words": f"{name}: {value}"}

Live(shade, {"value": slider("Shade", 0, 9), "name": choice("Name", ["ash", "slate"])}, title="Shades")
"""


@pytest.fixture
def shades(open_notebook: Callable[[str], NotebookPage], lab_folder: Path) -> WidgetOnPage:
    if not (lab_folder / "shades.ipynb").exists():
        write_notebook(lab_folder / "shades.ipynb", SHADES)
    widget = open_notebook("shades").widget("Shades")
    widget.press("Shade", "Home")
    return widget


def test_a_slider_moved_by_key_changes_picture_alt_text_and_words(shades: WidgetOnPage) -> None:
    before = shades.pixels_of(shades.picture("grey 0"))
    shades.press("Shade", "ArrowRight", 2)
    assert shades.reading("Shade") == "2"
    assert "ash: 2" in shades.text()
    assert shades.pixels_of(shades.picture("grey 40")) != before


def test_a_screen_reader_is_told_what_is_what(shades: WidgetOnPage) -> None:
    page = shades.page
    assert page.get_by_role("group", name="Shades").get_by_role("slider", name="Shade", exact=True).count() == 1
    assert page.get_by_role("combobox", name="Name", exact=True).count() == 1


def test_a_menu_changes_the_words(shades: WidgetOnPage) -> None:
    shades.choose("Name", "slate")
    assert "slate: 0" in shades.text()
    shades.choose("Name", "ash")


def test_an_error_is_shown_in_place_and_goes_with_the_next_change(shades: WidgetOnPage) -> None:
    shades.press("Shade", "ArrowRight", 2)
    shades.press("Shade", "ArrowRight")  # by itself: of keys pressed at once, only the last may be drawn
    assert "ValueError: 3 is <unlucky>" in shades.problem()
    assert shades.picture("grey 40").is_visible()  # the last that could be drawn
    shades.press("Shade", "ArrowRight")
    assert shades.problem() == ""
    assert shades.picture("grey 80").is_visible()


def test_nothing_flickers(shades: WidgetOnPage) -> None:
    """The element stays the same, and is never without a picture while the slider moves."""
    picture = shades.picture()
    picture.evaluate(
        """(img) => {
            window.sizes = new Set();
            function look() {
                window.sizes.add(`${img.isConnected} ${img.naturalWidth}`);
                requestAnimationFrame(look);
            }
            look();
        }"""
    )
    shades.press("Shade", "ArrowRight", 9)
    assert picture.get_attribute("alt") == "grey 180"
    assert shades.page.evaluate("() => Array.from(window.sizes)") == ["true 96"]


def test_a_widget_too_wide_for_the_page_is_told(shades: WidgetOnPage) -> None:
    assert shades.cut_off() == []
    shades.root.evaluate("(root) => { root.querySelector('img').style.minWidth = '900px'; }")
    shades.page.set_viewport_size({"width": NARROW, "height": 600})
    assert any(each.startswith("img") for each in shades.cut_off())
    shades.root.evaluate("(root) => { root.querySelector('img').style.minWidth = ''; }")
    assert shades.cut_off() == []
    words = shades.root.get_by_text("ash: 0")
    words.evaluate("(el) => Object.assign(el.style, {width: '9px', overflow: 'hidden', whiteSpace: 'nowrap'})")
    assert shades.cut_off()
    words.evaluate("(el) => el.removeAttribute('style')")
    assert shades.cut_off() == []
    shades.page.set_viewport_size({"width": WIDE, "height": 600})


def test_a_kernel_that_does_not_answer_is_told(shades: WidgetOnPage) -> None:
    shades.page.evaluate("() => { window.unanswered.add('never'); }")
    with pytest.raises(Exception, match=r"has not answered for 0\.5 s"):
        shades.notebook.settle(seconds=0.5)
    shades.page.evaluate("() => { window.unanswered.delete('never'); }")
    shades.notebook.settle()


def test_console_errors_and_failing_cells_are_found(open_notebook: Callable, lab_folder: Path) -> None:
    write_notebook(lab_folder / "faulty.ipynb", "1 / 0", "2")
    with pytest.raises(AssertionError, match="code-0: ZeroDivisionError"):
        open_notebook("faulty")
    write_notebook(lab_folder / "loud.ipynb", "print('fine')")
    notebook = open_notebook("loud")
    notebook.page.evaluate("() => { console.error('lost'); setTimeout(() => { throw new Error('thrown'); }); }")
    notebook.settle()
    errors = notebook.take_errors()
    assert len(errors) == 2 and "lost" in errors[0] and "thrown" in errors[1]
