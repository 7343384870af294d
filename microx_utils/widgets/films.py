"""What widgets that show clips share: menus of clips, frames and landmarks in memory, crops side by side.

Pictures are drawn by OpenCV and not by matplotlib, since they follow a slider.
"""

import html
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import ipywidgets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.components import COMPONENTS
from microx_utils.labels import EMOTIONS
from microx_utils.landmarks import clip_landmarks, landmark_array, success_array
from microx_utils.plots.overlays import WIDTH, rgb, scaled
from microx_utils.plots.style import COMPONENT_COLOURS, INK
from microx_utils.video import iter_frames
from microx_utils.widgets.live import choice
from microx_utils.widgets.shown import Html

TALLEST = 480  # px; frames are kept no larger, or a few seconds of film would fill hundreds of megabytes
_FONT, _FONT_SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
_NAMES = {"corpus": "corpus", "subject": "person", "emotion": "label", "condition": "face", "clip_id": "clip"}


class ClipMenus:
    """Menus that depend on each other, so that only clips that exist can be chosen.

    A menu is hidden where there is nothing to choose. A choice stays where it is possible for the next person, too.

    Parameters
    ----------
    clips
        A clip table.
    levels
        Its columns, from the first menu to the last; together they tell all clips apart.
    start
        The clip_id to begin with; the first clip, unless given.
    """

    def __init__(
        self,
        clips: pd.DataFrame,
        *,
        levels: Sequence[str] = ("corpus", "subject", "emotion", "clip_id"),
        start: str | None = None,
    ) -> None:
        self._clips = {tuple(clip[column] for column in levels): clip for clip in clips.to_dict("records")}
        if len(self._clips) < len(clips):
            raise ValueError(f"the columns {list(levels)} don't tell all {len(clips)} clips apart")
        self._places = {clip["clip_id"]: place for place, clip in self._clips.items()}
        first = next(iter(self._clips)) if start is None else self._places[start]
        self.controls: dict[str, Any] = {}
        for column, value in zip(levels, first, strict=True):
            self.controls[column] = choice(_NAMES[column], [value])
            self.controls[column].layout.width = "17em"
        self.agree()

    def agree(self) -> None:
        """Give each menu the options that the choices above it leave."""
        places = list(self._clips)
        for level, (column, menu) in enumerate(self.controls.items()):
            options = list(dict.fromkeys(place[level] for place in places))
            if column == "emotion":
                options.sort(key=EMOTIONS.index)
            if column == "condition":
                options.sort(key=lambda name: name != "plain")
            if list(menu.options) != options:
                chosen = menu.value
                menu.options = options
                menu.value = chosen if chosen in options else options[0]
            menu.layout.display = None if len(options) > 1 else "none"
            places = [place for place in places if place[level] == menu.value]

    def choose(self, clip_id: str) -> None:
        """Set all menus to a clip; a Live should hold its drawing meanwhile."""
        for menu, value in zip(self.controls.values(), self._places[clip_id], strict=True):
            menu.value = value
            self.agree()

    def chosen(self, values: Mapping[str, Any]) -> Mapping[Hashable, Any]:
        """Return the clip that the menus' values name, as a row of the clip table."""
        return self._clips[tuple(values[column] for column in self.controls)]


@dataclass(frozen=True)
class Film:
    """A clip's frames at 30 fps, uint8 (T, H, W, 3) RGB, at most TALLEST px high; `scale` is their share of full size.

    Points in px of the video are at `film.place(points)` in these frames.
    """

    frames: NDArray[np.uint8]
    scale: float

    def place(self, points: NDArray) -> NDArray:
        """Return points (..., 2) in px of these frames."""
        return scaled(points, self.scale)


@dataclass(frozen=True)
class Track:
    """A clip's landmarks: points float (T, 68, 2) px of the video, success bool (T,), confidence and times (T,), s."""

    points: NDArray
    success: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    times: NDArray[np.float64]


@lru_cache(maxsize=3)
def load_film(path: str) -> Film:
    """Return a clip's frames; the last few clips stay in memory. Raises DataError for a video that can't be read."""
    frames = []
    share = 1.0
    for _, frame in iter_frames(path):
        share = min(1.0, TALLEST / frame.shape[0])
        if share < 1:
            frame = cv2.resize(frame, (round(frame.shape[1] * share), TALLEST), interpolation=cv2.INTER_AREA)
        frames.append(frame)
    return Film(np.stack(frames), share)


@lru_cache(maxsize=16)
def load_track(path: str, tracker: str | None = None) -> Track:
    """Return a clip's landmarks, which are computed the first time; raises DataError as `clip_landmarks` does."""
    return track_of(clip_landmarks(path, tracker=tracker))


def track_of(table: pd.DataFrame) -> Track:
    """Return a landmark table as arrays."""
    confidence, times = (table[name].to_numpy(np.float64) for name in ("confidence", "timestamp"))
    return Track(landmark_array(table), success_array(table), confidence, times)


def crop_strip(crops: NDArray[np.uint8], available: NDArray[np.bool_], *, width: int = WIDTH) -> NDArray[np.uint8]:
    """Return the seven crops (7, h, w, 3) side by side, named and framed in their colours, on white.

    A crop that does not show its component (`available`, bool (7,)) is crossed out.
    """
    gap, frame, text = 6, 3, 34
    side = (width - (len(COMPONENTS) - 1) * gap) // len(COMPONENTS)
    strip = np.full((side + text, width, 3), 255, np.uint8)
    for k, (name, crop) in enumerate(zip(COMPONENTS, crops, strict=True)):
        left = k * (side + gap)
        strip[:side, left : left + side] = rgb(COMPONENT_COLOURS[name])
        inside = strip[frame : side - frame, left + frame : left + side - frame]
        cv2.resize(crop, (inside.shape[1], inside.shape[0]), dst=inside, interpolation=cv2.INTER_LINEAR)
        if not available[k]:
            for start, end in ((0, side), (side, 0)):
                cv2.line(strip, (left + start, 0), (left + end, side), rgb(INK), 4, cv2.LINE_AA)
                cv2.line(strip, (left + start, 0), (left + end, side), (255, 255, 255), 2, cv2.LINE_AA)
        for row, word in enumerate(name.split("_")):
            place = (left, side + 13 + 14 * row)
            cv2.putText(strip, word, place, _FONT, _FONT_SIZE, rgb(INK), 1, cv2.LINE_AA)
    return strip


def stack(*pictures: NDArray[np.uint8], gap: int = 8) -> NDArray[np.uint8]:
    """Return pictures one above the other, on white, as wide as the widest."""
    width = max(picture.shape[1] for picture in pictures)
    height = sum(picture.shape[0] for picture in pictures) + gap * (len(pictures) - 1)
    whole = np.full((height, width, 3), 255, np.uint8)
    top = 0
    for picture in pictures:
        whole[top : top + picture.shape[0], : picture.shape[1]] = picture
        top += picture.shape[0] + gap
    return whole


def tick(description: str, value: bool) -> Any:
    """Return a checkbox with its words beside it."""
    return ipywidgets.Checkbox(
        value=value, description=description, indent=False, layout={"width": "auto", "margin": "2px 14px 2px 2px"}
    )


def facts_table(facts: Mapping[str, Any]) -> Html:
    """Return facts, each by its name, as a table of two columns; quicker than pandas."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;padding-right:1em">{html.escape(name)}</th>'
        f"<td>{html.escape(str(fact))}</td></tr>"
        for name, fact in facts.items()
    )
    return Html(f"<table>{rows}</table>")
