"""The training dashboard in notebook 05: start, watch, stop; the kernel answers meanwhile."""

import re
from collections.abc import Callable

import pytest
from notebook_page import NotebookPage

pytestmark = pytest.mark.browser

MINUTES = 60_000  # milliseconds


def test_a_run_can_be_watched_and_stopped(open_notebook: Callable[[str], NotebookPage]) -> None:
    notebook = open_notebook("05_training")
    widget = notebook.widget("Train and compare")
    widget.root.get_by_text("2: raw, adam 0.001").wait_for()
    first = saturated(widget.text())
    assert list(first) == ["1: scaled, adam 0.001", "2: raw, adam 0.001"]
    assert first["1: scaled, adam 0.001"] < 20 and first["2: raw, adam 0.001"] > 80
    before = widget.pixels_of(widget.picture("Curves of 2 runs"))
    widget.choose("Pixels", "scaled")
    widget.choose("Learning rate", "0.01")
    widget.click("Start")
    widget.root.get_by_text(re.compile("epoch [2-9] of 20")).wait_for(timeout=5 * MINUTES)
    assert widget.root.get_by_role("button", name="Start").is_disabled()
    notebook.settle()  # the kernel answers while it trains
    assert "stopped" not in widget.text() and "done" not in widget.text()
    widget.click("Stop")
    widget.root.get_by_text(re.compile("stopped after epoch")).wait_for(timeout=2 * MINUTES)
    assert widget.root.get_by_role("button", name="Start").is_enabled()
    assert widget.problem() == ""
    assert list(saturated(widget.text())) == [*first, "3: scaled, adam 0.01"]
    assert widget.pixels_of(widget.picture("Curves of 3 runs")) != before
    widget.screenshot("training_dashboard")
    widget.click("Clear")
    widget.root.get_by_text("1: scaled, adam 0.001").wait_for(state="detached", timeout=MINUTES)
    assert list(saturated(widget.text())) == ["3: scaled, adam 0.01"]


def saturated(text: str) -> dict[str, int]:
    """Each run's label and its share of saturated gates in per cent, from the table."""
    return {label: int(share) for label, share in re.findall(r"(\d+: \w+, \w+ [\d.]+)\s[^\n]*\s(\d+)%", text)}
