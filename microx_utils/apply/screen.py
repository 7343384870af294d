"""What is known of a face in a stream, drawn beside and below its picture."""

import textwrap
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from microx_utils.apply.stream import PROBLEMS, Moment
from microx_utils.components import COMPONENTS
from microx_utils.labels import EMOTIONS
from microx_utils.plots.overlays import POINT_COLOURS, put_bars, put_points, put_weighted_boxes, rgb, scaled
from microx_utils.plots.style import COMPONENT_COLOURS, EMOTION_COLOURS, INK, MUTED
from microx_utils.robust.inputs import REST_FRAMES

HEIGHT, PANEL, BELOW = 480, 240, 96
"""Px: the picture's height, the width of what stands beside it, and the height of what stands below."""

SECONDS = 10.0
"""How far back the timeline goes."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_COLOURS = np.array([rgb(EMOTION_COLOURS[name]) for name in EMOTIONS], np.uint8)
_WARNING = rgb("#a4262c")


class Screen:
    """Draws one moment after another, always of the same size, whatever the pictures' is.

    Parameters
    ----------
    shape
        That of the first picture, (H, W, 3).
    mirror
        Show pictures as a mirror does. What is said of left and right is not turned: both are the person's.
    keys
        What is written in the last line.
    """

    def __init__(self, shape: tuple[int, ...], *, mirror: bool = False, keys: str = "") -> None:
        self.mirror = mirror
        self._width = 2 * round(min(HEIGHT * shape[1] / shape[0], 2 * HEIGHT) / 2)
        self._keys = keys
        self._past: deque[tuple[float, NDArray[np.float64] | None]] = deque()

    def draw(self, picture: NDArray[np.uint8], moment: Moment) -> NDArray[np.uint8]:
        """Return uint8 (HEIGHT + BELOW, W, 3), RGB: a picture with its face, the answer beside it, the past below."""
        canvas = np.full((HEIGHT + BELOW, self._width + PANEL, 3), 255, np.uint8)
        self._put_picture(canvas[:HEIGHT, : self._width], picture, moment)
        self._put_words(canvas[:HEIGHT, self._width :], moment)
        self._put_past(canvas[HEIGHT:], moment)
        return canvas

    def _put_picture(self, place: NDArray[np.uint8], picture: NDArray[np.uint8], moment: Moment) -> None:
        factor = min(place.shape[0] / picture.shape[0], place.shape[1] / picture.shape[1])
        size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
        smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        large = np.asarray(cv2.resize(picture, size, interpolation=smooth), np.uint8)
        points, boxes = scaled(moment.points, factor), scaled(moment.boxes, factor)
        if self.mirror:
            large = np.ascontiguousarray(large[:, ::-1])
            points[:, 0], boxes[..., 0] = size[0] - 1 - points[:, 0], size[0] - 1 - boxes[..., 0]
        if moment.found:
            put_weighted_boxes(large, boxes, moment.weights)
            put_points(large, points, POINT_COLOURS, radius=1.2)
        top, left = (place.shape[0] - size[1]) // 2, (place.shape[1] - size[0]) // 2
        place[:] = 64
        place[top : top + size[1], left : left + size[0]] = large

    def _put_words(self, panel: NDArray[np.uint8], moment: Moment) -> None:
        chances = np.zeros(len(EMOTIONS)) if moment.probabilities is None else moment.probabilities
        strongest = "" if moment.probabilities is None else f": {EMOTIONS[int(chances.argmax())]}"
        top = put_bars(panel, f"answer{strongest}", dict(zip(EMOTIONS, chances, strict=True)), EMOTION_COLOURS, 18)
        weights = dict(zip(COMPONENTS, moment.weights, strict=True))
        top = put_bars(panel, "weights of the components", weights, COMPONENT_COLOURS, top)
        neutral = "neutral face: taken" if moment.neutral == REST_FRAMES else "neutral face: not seen yet"
        for words in (f"{moment.rate:.0f} frames/s, {sum(moment.milliseconds.values()):.0f} ms each", neutral):
            cv2.putText(panel, words, (8, top), _FONT, 0.4, rgb(MUTED), 1, cv2.LINE_AA)
            top += 18
        for line in [line for name in moment.problems for line in textwrap.wrap(PROBLEMS[name], 36)]:
            if top < len(panel):
                cv2.putText(panel, line, (8, top), _FONT, 0.38, _WARNING, 1, cv2.LINE_AA)
            top += 15

    def _put_past(self, place: NDArray[np.uint8], moment: Moment) -> None:
        """Draw the probabilities of the last seconds, stacked, now at the right; grey where there was no answer."""
        self._past.append((moment.time, moment.probabilities))
        while self._past[0][0] < moment.time - SECONDS - 1:
            self._past.popleft()
        high, left, wide = BELOW - 40, 8, place.shape[1] - 16
        times = np.array([time for time, _ in self._past])
        ends = np.array([np.zeros(len(EMOTIONS)) if each is None else each.cumsum() for _, each in self._past])
        columns = moment.time - SECONDS * (1 - (np.arange(wide) + 0.5) / wide)
        newest = np.searchsorted(times, columns, side="right") - 1
        known = (newest >= 0) & (ends[newest, -1] > 0) & (columns - times[newest] < 1)
        share = 1 - (np.arange(high) + 0.5) / high
        which = (share[:, None, None] > ends[newest][None]).sum(axis=2).clip(max=len(EMOTIONS) - 1)
        area = place[6 : 6 + high, left : left + wide]
        area[:] = np.where(known[None, :, None], _COLOURS[which], np.uint8(236))
        words = (f"{SECONDS:.0f} s ago", "now")
        for text, at in zip(words, (left, left + wide - 28), strict=True):
            cv2.putText(place, text, (at, high + 20), _FONT, 0.38, rgb(INK), 1, cv2.LINE_AA)
        cv2.putText(place, self._keys, (left, high + 36), _FONT, 0.4, rgb(MUTED), 1, cv2.LINE_AA)
