"""What is drawn of a moment."""

import numpy as np

from microx_utils.apply.screen import BELOW, HEIGHT, PANEL, Screen
from microx_utils.apply.stream import Moment
from microx_utils.labels import EMOTIONS
from microx_utils.plots.overlays import rgb
from microx_utils.plots.style import EMOTION_COLOURS


def moment(time: float, *, found: bool = True, problems: tuple[str, ...] = ()) -> Moment:
    points = np.tile(np.array([100.0, 60.0]), (68, 1))
    boxes = np.full((7, 4, 2), np.nan)
    weights = np.full(7, 1 / 7, np.float32)
    chances = np.eye(len(EMOTIONS))[3] if found else None
    return Moment(1, time, 1, found, points, boxes, weights, weights, chances, 3, 30.0, 0, problems, {"frame": 1.0})


def test_the_size_stays_whatever_the_pictures_is() -> None:
    screen = Screen((240, 320, 3))
    one = screen.draw(np.zeros((240, 320, 3), np.uint8), moment(0.0))
    other = screen.draw(np.zeros((720, 405, 3), np.uint8), moment(0.1))
    assert one.shape == other.shape == (HEIGHT + BELOW, 640 + PANEL, 3)
    assert (other[100, 5] == 64).all(), "an upright picture stands in the middle"


def test_a_mirror_turns_the_picture_with_its_points() -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:, :40] = 200
    plain = Screen(picture.shape).draw(picture, moment(0.0))
    turned = Screen(picture.shape, mirror=True).draw(picture, moment(0.0))
    assert plain[10, 10, 0] == turned[10, 629, 0] == 200
    assert plain[120, 200].any()
    assert turned[120, 639 - 200].any()
    assert not turned[120, 200].any()


def test_the_past_is_coloured_by_the_answer_and_grey_without_one() -> None:
    screen = Screen((240, 320, 3))
    picture = np.zeros((240, 320, 3), np.uint8)
    for number in range(150):
        drawn = screen.draw(picture, moment(number / 30))
    line = drawn[HEIGHT + 30, 8:-8]
    assert (line[-100:] == rgb(EMOTION_COLOURS[EMOTIONS[3]])).all()
    assert (line[:100] == 236).all()
    for number in range(150, 240):
        drawn = screen.draw(picture, moment(number / 30, found=False))
    assert (drawn[HEIGHT + 30, -60:-8] == 236).all()


def test_what_is_wrong_is_written() -> None:
    screen, picture = Screen((240, 320, 3)), np.zeros((240, 320, 3), np.uint8)
    calm = screen.draw(picture, moment(0.0))
    loud = screen.draw(picture, moment(0.1, problems=("another face",)))
    assert (calm[300:HEIGHT, 640:] != loud[300:HEIGHT, 640:]).any()
