"""The mask slider in notebook 09: other takes and moments, both pictures, both answers."""

from collections.abc import Callable

import pytest
from notebook_page import NotebookPage

pytestmark = pytest.mark.browser


def test_take_and_frame_lead_to_two_pictures_and_two_answers(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("09_real_life_and_masks").widget("Mask slider")
    widget.choose("take", "own/p01_surprise_1, labelled surprise")
    widget.press("frame", "Home")
    plain, mask = widget.picture("surprise, without a mask"), widget.picture("surprise, with a mask")
    first = widget.pixels_of(plain), widget.pixels_of(mask)
    assert first[0] != first[1]
    answers = widget.text()
    widget.press("frame", "ArrowRight", 12)
    assert widget.reading("frame") == "12"
    assert "frame 12 of" in (plain.get_attribute("alt") or "") and "frame 12 of" in (mask.get_attribute("alt") or "")
    assert widget.pixels_of(plain) != first[0] and widget.pixels_of(mask) != first[1]
    assert widget.text() != answers  # another segment
    assert "Answer without a mask" in widget.text() and "Answer with a mask" in widget.text()
    assert widget.text().count("%") == 14
    assert "Probability of the label, surprise" in widget.text()
    widget.press("frame", "End")
    assert "in no segment" in widget.text()  # the smoke profile asks about a clip's first two segments
    widget.press("frame", "Home")
    widget.press("frame", "ArrowRight", 15)
    assert widget.problem() == ""
    widget.screenshot("mask_slider")
