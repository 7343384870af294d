"""The ConvLSTM stepper: by hand it is Keras's cell, its pictures show the numbers, and mistakes show."""

import json
import re
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from microx_utils.support import paths
from microx_utils.widgets.convlstm_stepper import MAPS, Trace, convlstm_stepper, make_sheet, numbers, show_sheet, trace

COMPONENTS = ("left_eye", "mouth")


@pytest.fixture(scope="module")
def step() -> Callable:
    """The cell that notebook 04 writes from the equations."""
    cells = json.loads((paths.NOTEBOOKS / "04_model_building.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {"np": np}
    exec("".join(next(cell for cell in cells if cell["id"] == "cell-09")["source"]), names)
    return names["step"]


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Ten frames of two parts of a face: uint8 (10, 2, 20, 20, 3)."""
    video = cv2.VideoCapture(str(paths.ROOT / "tests" / "data" / "openface" / "happy.mp4"))
    frames = [video.read()[1][:, :, ::-1] for _ in range(30)][20:]
    parts = [[frame[90:130, 130:170], frame[140:180, 100:140]] for frame in frames]
    return np.array([[cv2.resize(part, (20, 20), interpolation=cv2.INTER_AREA) for part in both] for both in parts])


@pytest.fixture(scope="module")
def traced(step: Callable, crops: np.ndarray) -> Trace:
    return trace(step, crops[:, 1], filters=3, seed=1)


@pytest.mark.parametrize("pixels", ["scaled", "raw"])
def test_by_hand_it_is_keras_cell(step: Callable, crops: np.ndarray, pixels: str) -> None:
    found = trace(step, crops[:, 1], pixels=pixels, filters=3, seed=1)
    assert set(found.by_hand) == set(MAPS) and set(found.by_keras) == {"c", "h"}
    assert {maps.shape for maps in (*found.by_hand.values(), *found.by_keras.values())} == {(10, 18, 18, 3)}
    assert np.abs(found.by_keras["h"]).max() > 0.1
    assert found.largest_difference < 1e-4  # raw pixels: sums of hundreds in 32 bits
    edge = np.isin(np.abs(found.by_hand["f"] - 0.5) > 0.45, [True]).mean()
    assert edge > 0.9 if pixels == "raw" else edge < 0.1  # what the raw pixels do to the gates


def test_weights_come_from_the_seed(step: Callable, crops: np.ndarray, traced: Trace) -> None:
    again, other = (trace(step, crops[:, 1], filters=3, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.by_keras["h"], traced.by_keras["h"])
    assert np.abs(other.by_keras["h"] - traced.by_keras["h"]).max() > 0.01


def test_a_mistake_in_a_gate_shows(step: Callable, crops: np.ndarray) -> None:
    def exchanged(*arguments: object) -> dict:
        state = step(*arguments)
        return state | {"h": state["i"] * np.tanh(state["c"])}

    assert trace(exchanged, crops[:, 1], filters=3).largest_difference > 0.001


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h[:, 1:], r"h of shape \(1, 17, 18, 3\) for frame 1; wanted \(1, 18"),
        (lambda h: h / 0, "not numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_maps_that_cannot_be_shown_are_refused(
    step: Callable, crops: np.ndarray, change: Callable, message: str
) -> None:
    def broken(*arguments: object) -> dict:
        state = step(*arguments)
        return state | {"h": change(state["h"])}

    with pytest.raises(ValueError, match=message):
        trace(broken, crops[:, 1], filters=3)


def test_colours_stand_for_the_same_numbers_in_every_frame(traced: Trace) -> None:
    tiles = dict(
        zip(("frame", *"ifuo", "c", "h", "c Keras", "h Keras", "apart"), make_sheet(traced, 2).tiles, strict=True)
    )
    np.testing.assert_array_equal(tiles["frame"], traced.crops)
    gate, seen = (255 * traced.by_hand["f"][..., 2]).astype(int), tiles["f"].reshape(-1, 3)
    colours = {level: {tuple(colour) for colour in seen[gate.ravel() == level]} for level in np.unique(gate)}
    assert len(colours) > 10 and all(len(one) == 1 for one in colours.values())
    largest = np.abs(traced.by_hand["c"][..., 2]).argmax()
    ends = {tuple(colour) for colour in make_sheet(traced, 2).page[240:].reshape(-1, 3)}
    assert tuple(tiles["c"].reshape(-1, 3)[largest]) in ends, "the largest value has the colour at an end of the scale"
    np.testing.assert_allclose(tiles["c"].astype(int), tiles["c Keras"], atol=4)


def test_the_picture_marks_the_place_and_leaves_the_page_alone(traced: Trace) -> None:
    sheet = make_sheet(traced, 0)
    before = sheet.page.copy()
    first = show_sheet(sheet, frame=0, row=2, column=3)
    moved = show_sheet(sheet, frame=0, row=9, column=3)
    later = show_sheet(sheet, frame=9, row=2, column=3)
    np.testing.assert_array_equal(sheet.page, before)
    assert first.dtype == np.uint8 and first.shape == before.shape
    for other in (moved, later):
        assert (first != other).any()
    changed = np.argwhere((first != moved).any(axis=-1))
    assert changed[:, 0].max() < 40 + 200 + 132, "only in the maps"


def test_the_numbers_are_those_of_the_equations(traced: Trace) -> None:
    text = re.sub("<[^>]+>", " ", numbers(traced, frame=4, channel=1, row=7, column=8)).replace("\u2212", "-")
    f, before, i, u, c, keras_c, o, tanh, h, keras_h, apart = (
        float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)
    )
    assert before == pytest.approx(traced.by_hand["c"][3, 7, 8, 1], abs=6e-4)
    assert f * before + i * u == pytest.approx(c, abs=2e-3)
    assert o * tanh == pytest.approx(h, abs=2e-3)
    assert (keras_c, keras_h) == (c, h)
    assert apart == pytest.approx(traced.largest_difference, rel=0.1)


def test_the_widget_follows_its_controls(step: Callable, crops: np.ndarray) -> None:
    live = convlstm_stepper(crops, COMPONENTS, step, filters=2)
    assert "Largest difference" in live._repr_mimebundle_()["text/html"]
    pictures = {live.views["picture"].png}
    for change in ({"frame": 10}, {"channel": 2}, {"component": "left_eye"}, {"pixels": "raw"}, {"row": 1}):
        live.set(**change)
        assert live.problem.value == ""
        pictures.add(live.views["picture"].png)
    assert len(pictures) == 6
    assert live.views["picture"].alt.startswith("Maps of filter 2 after frame 10 of the left eye")
    assert "c -" in live.views["chart"].value or "c 0" in live.views["chart"].value
