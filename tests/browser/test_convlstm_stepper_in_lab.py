"""The ConvLSTM stepper in notebook 04: frames, filters and places, and that Keras agrees."""

import re
from collections.abc import Callable

import pytest
from notebook_page import NotebookPage

pytestmark = pytest.mark.browser


def test_every_frame_agrees_with_keras(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("04_model_building").widget("Step through a ConvLSTM")
    widget.press("frame", "Home")
    assert widget.reading("frame") == "1" and equation(widget.text())["before"] == 0
    seen = {widget.pixels_of(widget.picture("after frame 1 of the mouth"))}
    memory = equation(widget.text())["c"]
    for frame in (2, 3):
        widget.press("frame", "ArrowRight")
        assert widget.reading("frame") == str(frame)
        assert equation(widget.text())["before"] == pytest.approx(memory, abs=6e-4), "this frame goes on from the last"
        memory = equation(widget.text())["c"]
        assert memory == equation(widget.text())["keras"]
        seen.add(widget.pixels_of(widget.picture(f"after frame {frame} of the mouth")))
    widget.choose("filter", "2")
    seen.add(widget.pixels_of(widget.picture("Maps of filter 2")))
    widget.choose("component", "left eye")
    seen.add(widget.pixels_of(widget.picture("after frame 3 of the left eye")))
    widget.press("row", "ArrowRight")
    assert len(seen) == 5 and widget.problem() == ""
    assert float(re.findall(r"filters: (\S+)", widget.text().replace("\u2212", "-"))[0]) < 1e-5


def test_raw_pixels_shut_or_open_the_gates(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("04_model_building").widget("Step through a ConvLSTM")
    widget.choose("pixels", "raw, 0..255")
    alt = widget.picture("means by hand").get_attribute("alt")
    widget.choose("pixels", "scaled to -1..1")
    scaled = widget.picture("means by hand").get_attribute("alt")
    assert abs(forget(alt) - 0.5) > 0.25 and 0.5 < forget(scaled) < 0.95
    widget.choose("component", "mouth")
    widget.press("frame", "Home")
    widget.press("frame", "ArrowRight", 6)
    widget.screenshot("convlstm_stepper")


def equation(text: str) -> dict[str, float]:
    """The numbers of c = f · c before + i · u = c (Keras: c)."""
    line = next(line for line in text.replace("\u2212", "-").splitlines() if line.startswith("c = f"))
    return dict(zip(("f", "before", "i", "u", "c", "keras"), map(float, re.findall(r"-?\d+\.\d+", line)), strict=True))


def forget(alt: str | None) -> float:
    """The forget gate's mean that an alt text states."""
    return float(re.findall(r"f (\d\.\d+)", alt or "")[0])
