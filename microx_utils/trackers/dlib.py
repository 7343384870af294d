"""68 landmarks by dlib, an optional second opinion: `pip install .[dlib]`, then the tracker "dlib".

A linear classifier on histograms of oriented gradients finds the face (HOG; Dalal and Triggs 2005, King 2009), an
ensemble of regression trees puts the 68 iBUG points on it (Kazemi and Sullivan 2014). It is the classic that papers
of the time compare with, trained on hand-made iBUG points, so its brows and jaw follow the annotators' lines.

Licences, and why this is an extra and never the default: dlib is under the Boost Software License 1.0, but the
weights of the 68 points were trained on the iBUG 300-W pictures, whose licence excludes commercial use. The weights
come with the package `face_recognition_models`; only that file is used, the package's code is never imported (it
needs pkg_resources, which newer setuptools no longer have).

Every frame is searched: the point predictor gives points for any box and no score, so without detection a lost face
would never be noticed. That costs little here (for a frame of 342 x 192 px, 5 ms of one core for the search and 2 ms
for the points), and it makes the points shake, because HOG's boxes come in steps. The detector was trained on
uncovered, roughly frontal faces: it misses many masked ones (measured: in a third of the rendered frames, and one
person entirely) and faces turned far aside.
"""

import importlib.metadata
import os
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from microx_utils.landmarks import POINTS, TrackedFace, track_frames
from microx_utils.support.errors import DataError
from microx_utils.trackers.blazeface import sigmoid

VERSION = 2
"""Raise the number when a change moves landmarks: cached tables of older versions are then not used."""

WEIGHTS = "shape_predictor_68_face_landmarks.dat"
_WEIGHTS_PACKAGE = "face_recognition_models"
_INSTALL = "Run `pip install .[dlib]` in the repository (or `pip install dlib-bin face_recognition_models==0.3.0`)."

_SMALL_FRAME = 600
"""px. HOG's window makes 80 px about the smallest face; a frame whose shorter side is less than this is doubled when
nothing is found in it, which makes it 40 px. Doubling always would cost four times the time and, measured on the
rendered faces (box side 104 px), find no more; in larger frames 80 px is a small part of the picture already."""
_FINE_SIDE, _FINEST = 400, 4
"""dlib gives points in whole pixels, 1.7 % of the eye distance on the rendered faces. So they are found on a copy of
the face enlarged to a box of about 400 px, four times at most; measured, that removes a fifth to half of the jitter."""
_REACH, _REACH_GROWTH = 1.0, 0.2  # as in MeshTracker, so that both trackers stay with the same person


class DlibTracker:
    """Landmarks frame by frame with dlib: the interface of `mesh.MeshTracker`.

    It starts with the largest face. Later it takes the face nearest to the last place, within a box side of it (a
    little more for every frame that the face stays away), so that a bystander does not become the subject.

    Confidence is the logistic function of the detector's score (the distance from its decision boundary): 0.5 at
    the threshold, about 0.9 for a clear frontal face. It ranks faces by how face-like they are; it is no probability.

    Raises
    ------
    DataError
        dlib or its weights are not installed.
    """

    def __init__(self) -> None:
        self._dlib = _import_dlib()
        self._predict = _shape_predictor()
        self._detector = self._dlib.get_frontal_face_detector()  # holds buffers: one for each tracker
        self.reset()

    def reset(self) -> None:
        """Forget the face, as before the first frame of another clip."""
        self._last: tuple[np.ndarray, float] | None = None  # centre and side in px of the box seen last
        self._points = np.zeros((POINTS, 2))
        self._lost = 0  # frames since
        self.detections = 0  # number of searched frames, for benchmarks

    def __call__(self, frame: np.ndarray) -> TrackedFace:
        """Find the landmarks in the next uint8 (H, W, 3) RGB frame of a clip.

        Points are float64 (68, 2) in px; (0, 0) is the top left pixel's centre.
        A lost face keeps the last points (zeros before the first), with success False and confidence 0.
        """
        frame = np.ascontiguousarray(frame)
        self.detections += 1
        for doublings in (0, 1) if min(frame.shape[:2]) < _SMALL_FRAME else (0,):
            boxes, scores, _ = self._detector.run(frame, doublings, 0.0)
            chosen = self._choose(boxes)
            if chosen is not None:
                box = boxes[chosen]
                self._last, self._lost = (_centre(box), float(box.width())), 0
                self._points = self._locate(frame, box)
                return TrackedFace(self._points.copy(), True, float(sigmoid(np.array(scores[chosen]))))
        self._lost += 1
        return TrackedFace(self._points.copy(), False, 0.0)

    def _locate(self, frame: np.ndarray, box: Any) -> np.ndarray:
        """Return the points float64 (68, 2) in px of the frame, of the face in a box."""
        fine = min(_FINEST, max(1, round(_FINE_SIDE / box.width())))
        margin = box.width() // 2  # the predictor looks a little beyond the box, and points may lie there
        x, y = max(0, box.left() - margin), max(0, box.top() - margin)
        part = frame[y : box.bottom() + margin + 1, x : box.right() + margin + 1]
        if fine > 1:
            part = cv2.resize(part, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR)
        left, top = fine * (box.left() - x), fine * (box.top() - y)
        right, bottom = fine * (box.right() - x + 1) - 1, fine * (box.bottom() - y + 1) - 1
        shape = self._predict(np.ascontiguousarray(part), self._dlib.rectangle(left, top, right, bottom))
        points = np.array([(point.x, point.y) for point in shape.parts()], np.float64)
        return (points + 0.5) / fine - 0.5 + (x, y)

    def _choose(self, boxes: Any) -> int | None:
        """Return the index of the subject's box, or None."""
        if not len(boxes):
            return None
        if self._last is None:
            return int(np.argmax([box.width() for box in boxes]))
        centre, side = self._last
        distances = [float(np.linalg.norm(_centre(box) - centre)) for box in boxes]
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] <= (_REACH + _REACH_GROWTH * self._lost) * side else None


def version() -> list[Any]:
    """See `landmarks.Tracker`."""
    packages = ("dlib-bin", "dlib")  # its wheels, and what one compiles oneself
    return [VERSION, *(each.version for name in packages for each in importlib.metadata.distributions(name=name))]


def problem() -> str:
    """Return "" if `DlibTracker` can run here, else what is missing."""
    try:
        _import_dlib()
        _weights_file()
    except DataError as error:
        return error.problem
    return ""


def find_landmarks(
    path: str | os.PathLike[str], frames: Iterator[tuple[float, np.ndarray]], folder: Path
) -> pd.DataFrame:
    """See `landmarks.Tracker`. Raises DataError if dlib or its weights are not installed."""
    return track_frames(frames, DlibTracker())


def problems_ahead(
    clips: list[str], *, jobs: int | None = None, cache: str | os.PathLike[str] | None = None
) -> list[str]:
    """See `landmarks.Tracker`. Raises DataError, once for all clips, if dlib or its weights are not installed."""
    DlibTracker()
    return [""] * len(clips)


def _centre(box: Any) -> np.ndarray:
    return np.array([box.left() + box.right(), box.top() + box.bottom()]) / 2


def _import_dlib() -> Any:
    try:
        import dlib
    except ImportError as error:  # it, or a library that it needs, is missing
        raise DataError("landmark tracker dlib", f"dlib can't be imported ({error})", _INSTALL) from error
    return dlib


def _weights_file() -> Path:
    package = find_spec(_WEIGHTS_PACKAGE)  # finds the folder without running the package
    folders = (package.submodule_search_locations or []) if package is not None else []
    for folder in folders:
        file = Path(folder) / "models" / WEIGHTS
        if file.is_file():
            return file
    problem = f"the weights {WEIGHTS} of the package {_WEIGHTS_PACKAGE} are not installed"
    raise DataError("landmark tracker dlib", problem, _INSTALL)


@cache
def _shape_predictor() -> Any:
    """Return the 68-point predictor, read once per process: its file has 100 MB."""
    return _import_dlib().shape_predictor(str(_weights_file()))
