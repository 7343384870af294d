"""Points drawn into frames."""

import numpy as np
import pytest

from microx_utils.plots.overlays import POINT_COLOURS, enlarge, put_points, scaled
from microx_utils.plots.style import COMPONENT_COLOURS


def test_a_frame_is_made_as_large_as_fits_and_its_points_with_it() -> None:
    frame = np.zeros((30, 60, 3), np.uint8)
    frame[10, 20] = 255
    picture, factor = enlarge(frame, width=600, height=400)
    assert picture.shape == (300, 600, 3) and factor == 10
    x, y = scaled(np.array([20.0, 10.0]), factor)
    assert (x, y) == (204.5, 104.5)
    brightest = np.argwhere(picture[..., 0] > 240).mean(axis=0)
    assert brightest == pytest.approx([y, x])
    tall, factor = enlarge(np.zeros((800, 100, 3), np.uint8), width=600, height=400)
    assert tall.shape == (400, 50, 3) and factor == 0.5


def test_points_have_their_colour_in_the_middle_and_an_edge() -> None:
    picture = np.full((40, 60, 3), 128, np.uint8)
    put_points(picture, np.array([[10, 20], [40, 20]]), ["#0077bb", "#ffffff"], radius=4)
    assert picture[20, 10].tolist() == [0, 119, 187] and picture[20, 40].tolist() == [255, 255, 255]
    assert picture[15, 10].min() > 200, "a dark point has a light edge"
    assert picture[15, 40].max() < 100, "a light point has a dark edge"
    ring = np.full((40, 60, 3), 128, np.uint8)
    put_points(ring, np.array([[10, 20]]), "#0077bb", radius=5, ring=True)
    assert ring[20, 10].tolist() == [128, 128, 128] and ring[20, 15].tolist() != [128, 128, 128]


def test_points_are_coloured_like_their_component() -> None:
    assert POINT_COLOURS[8] == "#ffffff"
    assert POINT_COLOURS[36] == COMPONENT_COLOURS["right_eye"] and POINT_COLOURS[45] == COMPONENT_COLOURS["left_eye"]
