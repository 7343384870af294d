"""The split explorer in notebook 03: another rule, another pair."""

from collections.abc import Callable

import pytest
from notebook_page import NotebookPage

pytestmark = pytest.mark.browser


def test_a_rule_decides_whom_the_nearest_segment_shows(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("03_segments_and_splits").widget("Split explorer")
    assert "another person" in widget.text() and "subject split, n = " in widget.text()
    strangers = widget.pixels_of(widget.picture("Segments by person under the subject rule"))
    widget.choose("split by", "segment")
    assert widget.problem() == ""
    assert "the same clip" in widget.text() and "segment split, n = " in widget.text()
    assert widget.pixels_of(widget.picture("Segments by person under the segment rule")) != strangers
    pair = widget.picture("Left a test segment's face")
    alike, closest = widget.pixels_of(pair), distance(widget.text())
    widget.press("test segment", "End")
    assert widget.pixels_of(pair) != alike and distance(widget.text()) > closest
    widget.press("test segment", "Home")
    assert distance(widget.text()) == closest
    widget.choose("split by", "subject")
    widget.screenshot("split_explorer")


def distance(text: str) -> float:
    """The distance that the widget states."""
    return float(text.split(" levels of 255")[0].split()[-1])
