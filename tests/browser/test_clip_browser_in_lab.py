"""The clip browser in notebook 01: another person, another frame, landmarks and boxes."""

from collections.abc import Callable

import pytest
from notebook_page import NotebookPage

pytestmark = pytest.mark.browser


def test_menus_slider_and_boxes_lead_to_pictures(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("01_dataset_exploration").widget("Clip browser")
    widget.choose("corpus", "BAUM-2")
    widget.choose("person", "BAUM-2/S002")
    assert widget.problem() == "" and "BAUM-2/S002" in widget.text()
    picture = widget.picture("of BAUM-2/S002")
    widget.press("frame", "Home")
    widget.press("frame", "ArrowRight", 12)
    assert widget.reading("frame") == "12" and "at 0.40 s" in widget.text()
    bare = widget.pixels_of(picture)
    assert "confidence" not in widget.text()
    widget.tick("landmarks")
    dotted = widget.pixels_of(picture)
    assert dotted != bare and "found, confidence 1.00" in widget.text()
    widget.tick("boxes and crops")
    assert widget.pixels_of(picture) != dotted
    assert "the seven crops below it" in (picture.get_attribute("alt") or "")
    widget.screenshot("clip_browser")


def test_it_plays(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("01_dataset_exploration").widget("Clip browser")
    widget.press("frame", "Home")
    widget.root.get_by_role("button").first.click()
    widget.page.wait_for_function(
        "(readout) => Number(readout.innerText) >= 5", arg=widget.root.locator(".widget-readout").element_handle()
    )
    assert widget.problem() == ""
