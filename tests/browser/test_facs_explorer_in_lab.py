"""The FACS explorer in notebook 16: sliders, presets, one side alone, a lost face; and in 01, without a network."""

import re
from collections.abc import Callable

import pytest
from notebook_page import NotebookPage, WidgetOnPage

pytestmark = pytest.mark.browser


def shares(widget: WidgetOnPage) -> dict[str, int]:
    rows = widget.root.locator("tbody tr").all_inner_texts()
    found = [re.fullmatch(r"(\w+)\s+(\d+)%", row.strip()) for row in rows]
    return {match[1]: int(match[2]) for match in found if match}


def test_sliders_and_presets_drive_face_and_answer(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("16_facs_explorer").widget("FACS explorer")
    widget.click("neutral")
    face = widget.picture("rendered person")
    rest = widget.pixels_of(face)
    widget.press("AU12 right", "ArrowRight", 10)
    assert (widget.reading("AU12 right"), widget.reading("AU12 left")) == ("0.50", "0.50")
    assert "AU12 0.50" in widget.text() and "AU12 0.50" in (face.get_attribute("alt") or "")
    assert widget.pixels_of(face) != rest
    assert len(shares(widget)) == 7 and 97 <= sum(shares(widget).values()) <= 103
    widget.click("contempt")
    assert (widget.reading("AU12 right"), widget.reading("AU12 left")) == ("0.40", "0.00")
    assert "AU12R 0.40 + AU14R 0.90" in widget.text()
    widget.click("happy")
    assert widget.problem() == ""
    widget.screenshot("facs_explorer")


def test_one_side_moves_alone(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("16_facs_explorer").widget("FACS explorer")
    widget.click("neutral")
    widget.tick("both sides together", False)
    widget.press("AU14 left", "End")
    assert (widget.reading("AU14 right"), widget.reading("AU14 left")) == ("0.00", "1.00")
    assert "AU14L 1.00" in widget.text()
    widget.tick("both sides together")


def test_a_lost_face_is_said_and_found_again(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("16_facs_explorer").widget("FACS explorer")
    widget.click("neutral")
    widget.root.get_by_text("Head and gaze", exact=True).click()
    widget.press("head to the person's left (°)", "End")
    widget.press("head up (°)", "Home")
    assert "No face was found" in widget.text() and widget.problem() == ""
    assert shares(widget) == {}
    widget.press("head up (°)", "ArrowRight", 40)
    widget.press("head to the person's left (°)", "ArrowLeft", 60)
    assert widget.reading("head to the person's left (°)") == widget.reading("head up (°)") == "0"
    assert len(shares(widget)) == 7
    widget.root.get_by_text("Lip corners", exact=True).click()


def test_without_a_network_the_face_is_alone(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("01_dataset_exploration").widget("FACS explorer")
    widget.click("surprise")
    assert "AU1 0.80 + AU2 0.80 + AU5 0.60 + AU25 0.60 + AU26 0.80" in widget.text()
    assert shares(widget) == {} and widget.problem() == ""
