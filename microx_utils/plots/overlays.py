"""Points and boxes on the pixels of a frame, drawn by OpenCV and not by matplotlib, since they follow a slider."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from microx_utils.components import COMPONENTS, LANDMARK_GROUPS
from microx_utils.plots.style import COMPONENT_COLOURS, INK

WIDTH, HEIGHT = 600, 400  # px: the largest picture of a frame, which fits beside the controls and on a narrow page
_SMOOTH = (cv2.INTER_AREA, cv2.INTER_CUBIC)  # to shrink, to enlarge
_FINE = 4  # bits after the point: OpenCV draws at whole pixels unless told otherwise


def scaled(points: NDArray, factor: float) -> NDArray:
    """Return points (..., 2) in px of a picture enlarged by a factor; pixel (0, 0) has its centre at 0."""
    return (np.asarray(points, np.float64) + 0.5) * factor - 0.5


def enlarge(frame: NDArray[np.uint8], *, width: int = WIDTH, height: int = HEIGHT) -> tuple[NDArray[np.uint8], float]:
    """Return a frame as large as fits into width and height, a copy, and the factor; see `scaled` for its points."""
    factor = min(width / frame.shape[1], height / frame.shape[0])
    size = (round(frame.shape[1] * factor), round(frame.shape[0] * factor))
    return np.asarray(cv2.resize(frame, size, interpolation=_SMOOTH[factor > 1]), np.uint8), factor


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the levels of a colour.

    >>> rgb("#0077bb")
    (0, 119, 187)
    """
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


POINT_COLOURS = ["#ffffff"] * 68
"""The colour of each point by its component; the jaw's are white."""
for _name, _points in LANDMARK_GROUPS.items():
    for _k in _points:
        POINT_COLOURS[_k] = COMPONENT_COLOURS.get(_name, "#ffffff")


def put_points(
    picture: NDArray[np.uint8],
    points: NDArray,
    colours: str | Sequence[str],
    *,
    radius: float = 2.5,
    ring: bool = False,
) -> None:
    """Draw points (n, 2), px, into a picture: filled, with an edge that shows on any skin, or as rings."""
    each = [colours] * len(points) if isinstance(colours, str) else colours
    for point, colour in zip(points, each, strict=True):
        x, y = (round(float(v) * 2**_FINE) for v in point)
        edge = rgb(INK) if sum(rgb(colour)) > 382 else (255, 255, 255)
        size = round(radius * 2**_FINE)
        if ring:
            cv2.circle(picture, (x, y), size, edge, 3, cv2.LINE_AA, _FINE)
            cv2.circle(picture, (x, y), size, rgb(colour), 1, cv2.LINE_AA, _FINE)
        else:
            cv2.circle(picture, (x, y), size + 2**_FINE, edge, -1, cv2.LINE_AA, _FINE)
            cv2.circle(picture, (x, y), size, rgb(colour), -1, cv2.LINE_AA, _FINE)


def put_boxes(picture: NDArray[np.uint8], boxes: NDArray) -> None:
    """Draw component boxes (7, 4, 2), px, into a picture, each in its component's colour; leave out those of NaN."""
    for name, box in zip(COMPONENTS, boxes, strict=True):
        if np.isfinite(box).all():
            corners = [np.round(box * 2**_FINE).astype(np.int32)]
            cv2.polylines(picture, corners, True, (255, 255, 255), 4, cv2.LINE_AA, _FINE)
            cv2.polylines(picture, corners, True, rgb(COMPONENT_COLOURS[name]), 2, cv2.LINE_AA, _FINE)


_FONT = cv2.FONT_HERSHEY_SIMPLEX


def put_weighted_boxes(picture: NDArray[np.uint8], boxes: NDArray, weights: NDArray) -> None:
    """Draw component boxes (7, 4, 2), px, each as thick as its weight (7,) is large; none for next to nothing."""
    for name, box, weight in zip(COMPONENTS, boxes, weights, strict=True):
        if np.isfinite(box).all() and weight > 0.02:
            corners = [np.round(box).astype(np.int32)]
            cv2.polylines(picture, corners, True, rgb(COMPONENT_COLOURS[name]), 1 + round(8 * weight), cv2.LINE_AA)


def put_bars(
    panel: NDArray[np.uint8], title: str, shares: Mapping[str, float], colours: Mapping[str, str], top: int
) -> int:
    """Draw shares, 0 to 1, as bars with a title above them into a panel; return where more may begin, in px."""
    cv2.putText(panel, title, (8, top), _FONT, 0.45, rgb(INK), 1, cv2.LINE_AA)
    for name, share in shares.items():
        top += 15
        cv2.putText(panel, name.replace("_", " "), (8, top + 4), _FONT, 0.36, rgb(INK), 1, cv2.LINE_AA)
        end = (92 + max(1, round((panel.shape[1] - 102) * float(share))), top + 5)
        cv2.rectangle(panel, (92, top - 5), end, rgb(colours[name]), -1)
    return top + 30
