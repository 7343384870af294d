"""The camera in a notebook: the browser takes pictures, the learner's own kernel answers them, the browser draws.

One picture is on its way at a time; those that come meanwhile are left out and counted. The kernel keeps the last ten
crops of the face, in memory, and nothing else.
"""

import html
import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import anywidget
import cv2
import ipywidgets
import numpy as np
import traitlets
from numpy.typing import NDArray

from microx_utils.apply.compiled import Halves
from microx_utils.apply.screen import Screen
from microx_utils.apply.stream import PROBLEMS, Moment, Stream
from microx_utils.components import COMPONENTS
from microx_utils.course.notebook_html import WIDGET_TYPE
from microx_utils.labels import EMOTIONS
from microx_utils.plots.overlays import POINT_COLOURS
from microx_utils.plots.style import COMPONENT_COLOURS, EMOTION_COLOURS
from microx_utils.robust.inputs import REST_FRAMES
from microx_utils.video import FPS, iter_frames
from microx_utils.widgets.live import Heading, still_of
from microx_utils.widgets.shown import Html, Seen

TITLE = "Camera"

LONGEST = 20.0
"""Seconds of a file that stands in for a camera; they are held in memory."""

TOLD = "Your neutral face is that of now."


class Lens(anywidget.AnyWidget):
    """The browser's half, in camera.js, and what the kernel answers to it.

    Messages from the browser: start; frame, with a picture as JPEG; file, with a file's name: its frame that is due is
    sent with the answer; neutral. Each frame or file gets one answer, `moment` or `error`.
    """

    _esm = Path(__file__).with_name("camera.js")
    emotions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    components = traitlets.List(traitlets.Unicode()).tag(sync=True)
    colours = traitlets.Dict().tag(sync=True)
    points = traitlets.List(traitlets.Unicode()).tag(sync=True)
    files = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, halves: Halves, files: Mapping[str, str | os.PathLike[str]]) -> None:
        super().__init__(
            emotions=list(EMOTIONS),
            components=list(COMPONENTS),
            colours=EMOTION_COLOURS | COMPONENT_COLOURS,
            points=POINT_COLOURS,
            files=list(files),
        )
        self._halves, self._paths = halves, dict(files)
        self._film: tuple[str, list[NDArray[np.uint8]]] = ("", [])
        self._round, self._told_until = 0, -1.0
        self.stream = Stream(halves)
        self.on_msg(self._heard)

    def _heard(self, _: Any, message: Mapping[str, Any], buffers: list[Any]) -> None:
        try:
            self._answer(message, buffers)
        except Exception as error:  # noqa: BLE001 - shown in place
            self.send({"kind": "error", "words": f"{type(error).__name__}: {error}"})

    def _answer(self, message: Mapping[str, Any], buffers: list[Any]) -> None:
        kind = message["kind"]
        if kind == "start":
            self.stream, self._round, self._told_until = Stream(self._halves), 0, -1.0
        elif kind == "neutral":
            if self.stream.set_neutral():
                self._told_until = self.stream.time + 2
        elif kind == "frame":
            picture = cv2.imdecode(np.frombuffer(buffers[0], np.uint8), cv2.IMREAD_COLOR_RGB)
            if picture is None:
                raise ValueError("the browser sent a picture that can't be read")
            self._reply(message, self.stream.push(np.asarray(picture, np.uint8), message["time"]))
        elif kind == "file":
            picture = self._frame_of(message["file"], message["time"])
            moment = self.stream.push(picture, message["time"])
            done, jpeg = cv2.imencode(".jpg", picture[:, :, ::-1])
            assert done
            self._reply(message, moment, [jpeg.tobytes()])

    def _frame_of(self, name: str, time: float) -> NDArray[np.uint8]:
        """Return the frame of a file that is due; from its end it begins again, as someone new."""
        if self._film[0] != name:
            frames = islice(iter_frames(self._paths[name]), round(LONGEST * FPS))
            self._film = (name, [frame for _, frame in frames])
        played, place = divmod(round(time * FPS), len(self._film[1]))
        if played != self._round:
            self.stream.forget()
            self._round = played
        return self._film[1][place]

    def _reply(self, message: Mapping[str, Any], moment: Moment, buffers: list[bytes] | None = None) -> None:
        self.send(tell(moment, neutral=moment.time < self._told_until) | {"start": message["start"]}, buffers or [])


def tell(moment: Moment, *, neutral: bool = False) -> dict[str, Any]:
    """Return a moment as the browser gets it: plain numbers, and what is wrong in words.

    Parameters
    ----------
    neutral
        The reader has just said that this is the neutral face.
    """
    words = [TOLD] * neutral + [PROBLEMS[name] for name in moment.problems]
    if not words and moment.neutral < REST_FRAMES:
        words = ["Look neutral: the first frames count."]
    boxes = np.where(np.isfinite(moment.boxes), moment.boxes, 0.0)
    return {
        "kind": "moment",
        "time": moment.time,
        "landmarks": moment.points.round(1).tolist() if moment.found else [],
        "boxes": boxes.round(1).tolist() if moment.found else [],
        "weights": moment.weights.round(3).tolist(),
        "available": moment.available.round(3).tolist(),
        "answer": None if moment.probabilities is None else moment.probabilities.round(4).tolist(),
        "neutral": moment.neutral,
        "rate": round(moment.rate, 1),
        "missed": moment.missed,
        "milliseconds": round(sum(moment.milliseconds.values()), 2),
        "problems": list(moment.problems),
        "words": words,
    }


class Camera:
    """The widget, displayed by itself at the end of a cell; without a browser, a still of the first file."""

    def __init__(self, halves: Halves, files: Mapping[str, str | os.PathLike[str]]) -> None:
        self.lens = Lens(halves, files)
        self.root = ipywidgets.VBox([Heading(title=TITLE), self.lens])
        self.root.add_class("microx-widget")
        self._still = still_of({"moment": draw_still(halves, *next(iter(files.items())))}, TITLE)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        live = self.root._repr_mimebundle_(**options)
        return {WIDGET_TYPE: live[WIDGET_TYPE], "text/html": self._still, "text/plain": TITLE}


def draw_still(halves: Halves, name: str, path: str | os.PathLike[str]) -> Seen | Html:
    """Return the last moment of a file, pushed frame by frame, as a picture."""
    stream, screen, drawn, said = Stream(halves), None, None, "no answer"
    for time, frame in islice(iter_frames(path), round(LONGEST * FPS)):
        screen = screen or Screen(frame.shape)
        moment = stream.push(frame, time)
        drawn = screen.draw(frame, moment)
        if moment.probabilities is not None:
            best = int(moment.probabilities.argmax())
            said = f"the answer {EMOTIONS[best]} ({moment.probabilities[best]:.0%})"
    if drawn is None:
        return Html(f"<p>{html.escape(name)} holds no frames.</p>")
    alt = (
        f"The end of {name}: a face with landmarks and boxes, {said}, the weights of seven components, and a timeline."
    )
    return Seen(drawn, alt, 640)


def camera(halves: Halves, files: Mapping[str, str | os.PathLike[str]]) -> Camera:
    """Return the camera as a widget.

    Parameters
    ----------
    halves
        The network, see `apply.compiled`.
    files
        Videos that can stand in for a camera, by the names that the menu shows; the first is the widget's still.

    Raises
    ------
    DataError
        The first file can't be read.
    """
    return Camera(halves, files)
