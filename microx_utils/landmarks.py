"""68 facial landmarks in every frame of a clip, offline, by two small networks run with LiteRT.

BlazeFace (Bazarevsky et al. 2019) finds the face, MediaPipe's face mesh (Kartynnik et al. 2019) puts 468 points on
it, and a table turns those into the 68 iBUG points that OpenFace and the paper's section III.B use. From then on
the face is followed: the mesh of one frame says where to look in the next, nearly twice as fast as detecting anew.
"""

import importlib.metadata
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pandas as pd

from microx_utils import openface, paths
from microx_utils.backends import check_backend, chosen_backend
from microx_utils.blazeface import Detection, FaceDetector, Network, sigmoid, weights_version
from microx_utils.cache import content_key
from microx_utils.errors import DataError
from microx_utils.openface import (
    POINTS,
    REQUIRED_COLUMNS,
    X_COLUMNS,
    Y_COLUMNS,
    read_openface_csv,
    write_openface_csv,
)
from microx_utils.video import FPS, iter_frames, split_path, stored_frames, video_key

BACKEND_VERSION = {"litert": 1, "openface": 1, "dlib": 1}
"""Raise the number when a change moves landmarks: cached tables of older versions are then left alone."""

MESH_POINTS: dict[str, tuple[tuple[int, ...], ...]] = {
    # iBUG 0-16, from the person's right temple round the chin to the left. The mesh's outline is the face's true
    # silhouette, iBUG's an annotator's line along the jaw: no closer choice exists, and the error stays 8 %.
    "jaw": (
        *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,)),
        (152,),  # chin
        *((400,), (379,), (365,), (397, 288), (361,), (323,), (454,), (356,)),
    ),
    "right_eyebrow": ((70,), (63,), (105,), (66,), (107,)),  # 17-21, the person's right: outer end to inner
    "left_eyebrow": ((336,), (296,), (334,), (293,), (300,)),  # 22-26, inner end to outer
    "nose": (
        *((168, 6), (197, 195), (5,), (4,)),  # 27-30, bridge from the top down to the tip
        *((75,), (97,), (2,), (326,), (305,)),  # 31-35, under the nostrils
    ),
    "right_eye": ((33,), (160,), (158,), (133,), (153,), (144,)),  # 36-41: outer corner, upper lid, inner, lower
    "left_eye": ((362,), (385,), (387,), (263,), (373,), (380,)),  # 42-47: inner corner, upper lid, outer, lower
    "mouth": (
        *((61,), (39,), (37,), (0,), (267,), (269,), (291,)),  # 48-54, outer edge of the upper lip
        *((321,), (314,), (17,), (84,), (91,)),  # 55-59, outer edge of the lower lip
        *((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,)),  # 60-67, inner edge
    ),
}
"""Which points of the 468-point mesh make each iBUG point, in order; two are averaged. Right is the PERSON's right.

The mesh's own numbers are those of MediaPipe's canonical face model; the eye, lip and brow contours are its
FACEMESH_* lists, subsampled to iBUG's (Sagonas et al. 2013) six, twenty and five points.
"""

_FIRST, _SECOND = np.array([(p[0], p[-1]) for group in MESH_POINTS.values() for p in group]).T  # each (68,)
_EYE_CORNERS = (33, 263)  # outer corners in the mesh

_MESH_SIZE = 192  # px, the mesh network's input
_REGION = 1.5
"""Side of the square the mesh network sees, in long sides of the box round all its points (as MediaPipe has it).
Measured: with 1.25 or 1.75 the error grows several times."""
_FACE_SCORE = 0.5  # below it, the mesh network says that what it sees is no face
_REACH = 1.0  # a lost face is looked for within this many box sides of where it was,
_REACH_GROWTH = 0.2  # and that many more for every frame it stays away


@dataclass(frozen=True)
class TrackedFace:
    """What is known about one frame: points float64 (68, 2) in px, success, confidence 0-1.

    Without success the confidence is 0 and the points are the last ones seen, or zeros before the first.
    """

    points: np.ndarray
    success: bool
    confidence: float


class Tracker(Protocol):
    """What `track_frames` needs: it is reset before a clip, then shown its frames in order, uint8 (H, W, 3) RGB."""

    def reset(self) -> None: ...

    def __call__(self, frame: np.ndarray, /) -> TrackedFace: ...


class LandmarkTracker:
    """Landmarks frame by frame, following one person: `tracker(frame)` gives a `TrackedFace`.

    The first face is the largest. While the mesh network recognises it, the face is followed without detection.
    When it is lost, every frame is searched again, and of several faces the one nearest to the last place is
    taken, not too far from it at first: a bystander must not become the subject because the subject turned away.

    Parameters
    ----------
    follow
        False detects in every frame (slower; what tracking is measured against).
    """

    def __init__(self, *, follow: bool = True) -> None:
        self._follow = follow
        self._near, self._far = FaceDetector("short"), FaceDetector("full")
        self._mesh = Network("face_landmark.tflite")
        self.reset()

    def reset(self) -> None:
        """Forget the face, as before the first frame of another clip."""
        self._region: _Region | None = None  # where the face is expected; None when it has to be searched for
        self._last: _Region | None = None  # where it was seen last
        self._points = np.zeros((POINTS, 2))
        self._lost = 0  # frames since
        self.detections = 0  # how often a frame was searched, for benchmarks

    def __call__(self, frame: np.ndarray) -> TrackedFace:
        """Find the landmarks in the next uint8 (H, W, 3) RGB frame of a clip."""
        for region in self._regions(frame):
            mesh, score = self._locate(frame, region)
            if score >= _FACE_SCORE:
                self._region = self._last = _Region.around(mesh)
                self._points = (mesh[_FIRST] + mesh[_SECOND]) / 2
                self._lost = 0
                return TrackedFace(self._points.copy(), True, score)
        self._region = None
        self._lost += 1
        return TrackedFace(self._points.copy(), False, 0.0)

    def _regions(self, frame: np.ndarray) -> "Iterator[_Region]":
        """Yield where the face may be, the likeliest place first; searching only if nobody stopped before."""
        if self._region is not None and self._follow:
            yield self._region
        self.detections += 1
        for detector in (self._near, self._far):
            for face in self._candidates(detector(frame)):
                yield _Region(face.centre, face.side * _REGION, _angle(*face.eyes))

    def _candidates(self, faces: list[Detection]) -> list[Detection]:
        """Return the faces that may be the subject, the likeliest first."""
        if self._last is None:
            return sorted(faces, key=lambda face: -face.side)
        last, reach = self._last, (_REACH + _REACH_GROWTH * self._lost) * self._last.side / _REGION
        distances = [float(np.linalg.norm(face.centre - last.centre)) for face in faces]
        return [faces[i] for i in np.argsort(distances) if distances[i] <= reach]

    def _locate(self, frame: np.ndarray, region: "_Region") -> tuple[np.ndarray, float]:
        """Run the mesh network on a region: points float64 (468, 2) in px of the frame, and the face score 0-1."""
        scale = _MESH_SIZE / region.side
        cosine, sine = np.cos(region.angle) * scale, np.sin(region.angle) * scale
        turn = np.array([[cosine, sine], [-sine, cosine]])
        shift = _MESH_SIZE / 2 - turn @ region.centre
        fine = max(1, int(region.side / _MESH_SIZE))  # a large face is sampled finely, then averaged: no aliasing
        matrix = np.column_stack([fine * turn, fine * shift + (fine - 1) / 2])
        image = cv2.warpAffine(frame, matrix, (fine * _MESH_SIZE, fine * _MESH_SIZE), flags=cv2.INTER_LINEAR)
        if fine > 1:
            image = cv2.resize(image, (_MESH_SIZE, _MESH_SIZE), interpolation=cv2.INTER_AREA)
        outputs = self._mesh(image.astype(np.float32) / 255)
        score, points = sorted(outputs, key=lambda output: output.size)
        mesh = points.reshape(-1, 3)[:, :2].astype(np.float64)  # the third is depth
        return (mesh - shift) @ np.linalg.inv(turn).T, float(sigmoid(score.ravel()[0]))


@dataclass(frozen=True)
class _Region:
    """A turned square: centre and side in px, angle of the eye line in radians."""

    centre: np.ndarray
    side: float
    angle: float

    @classmethod
    def around(cls, mesh: np.ndarray) -> "_Region":
        low, high = mesh.min(axis=0), mesh.max(axis=0)
        return cls((low + high) / 2, float((high - low).max()) * _REGION, _angle(*mesh[list(_EYE_CORNERS)]))


def _angle(right_eye: np.ndarray, left_eye: np.ndarray) -> float:
    """Return the angle of the eye line: 0 for an upright face, positive when turned clockwise on the screen."""
    x, y = left_eye - right_eye  # the person's left eye is on the right of the picture
    return float(np.arctan2(y, x))


def track_frames(frames: Iterable[tuple[float, np.ndarray]], *, tracker: Tracker | None = None) -> pd.DataFrame:
    """Return landmarks for frames in order, in OpenFace's columns: one row a frame, always.

    Parameters
    ----------
    frames
        Pairs `(time_s, frame)` as `video.iter_frames` yields them; frame is uint8 (H, W, 3), RGB.
    tracker
        Use this one (it is reset first); by default a new `LandmarkTracker`.

    Returns
    -------
    DataFrame
        `frame` from 1, `face_id` 0, `timestamp` in s, `confidence` 0-1, `success` 0 or 1, `x_0` .. `y_67` in px,
        rounded to 0.01 px. Without a face success and confidence are 0, and the points are the last ones seen
        (zeros before the first), as in OpenFace.
    """
    if tracker is None:
        tracker = LandmarkTracker()
    tracker.reset()
    head, points = [], []
    for number, (time, frame) in enumerate(frames, start=1):
        face = tracker(frame)
        head.append((number, 0, round(time, 6), round(face.confidence, 3), int(face.success)))
        points.append(face.points.T.ravel().round(2))  # x_0 .. x_67, y_0 .. y_67
    table = pd.DataFrame(head, columns=["frame", "face_id", "timestamp", "confidence", "success"])
    xy = pd.DataFrame(np.reshape(points, (-1, 2 * POINTS)), columns=[*X_COLUMNS, *Y_COLUMNS])
    return pd.concat([table, xy], axis=1)


def backend_key(backend: str) -> dict[str, Any]:
    """Return all that decides a clip's landmarks, besides its video; part of the key of whatever is made of them."""
    version: list[Any] = [BACKEND_VERSION[backend]]
    if (
        backend == "litert"
    ):  # the others bring their own networks: a new version of ours leaves their tables as they were
        version.append(weights_version())
    elif backend == "dlib":
        names = ("dlib-bin", "dlib")  # its wheels, and what one compiles oneself
        version += [each.version for name in names for each in importlib.metadata.distributions(name=name)]
    return {"backend": backend, "version": version, "fps": FPS}


def kept_table(path: str | os.PathLike[str], backend: str, cache: str | os.PathLike[str] | None = None) -> Path:
    """Return where a clip's landmarks by a backend are kept, whether they are there yet or not."""
    key = content_key(video=video_key(path), **backend_key(backend))
    return Path(paths.PROCESSED if cache is None else cache) / "landmarks" / backend / f"{key}.csv"


def clip_landmarks(
    path: str | os.PathLike[str], *, backend: str | None = None, cache: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Return a video's landmarks at 30 fps, computed once and kept as an OpenFace CSV.

    The file is `landmarks/<backend>/<key>.csv`, the key made of the video's bytes and the backend's version: a
    changed video is tracked anew, a moved or renamed one is not. It appears only when it is whole; one that was spoiled
    afterwards is made again, with a warning.

    Parameters
    ----------
    path
        The video.
    backend
        One of BACKENDS; None is `chosen_backend`.
    cache
        Folder to keep tables in, in place of data/processed.

    Returns
    -------
    DataFrame
        As `track_frames`; by OpenFace also its other columns (gaze, pose, 3-D points, action units).

    Raises
    ------
    DataError
        The video is missing, empty, cut short or damaged. (A video without a face is none of these: every row
        then has success 0.) Or the backend isn't here and no table is kept, or OpenFace fails for this video.
    ValueError
        Unknown backend.
    """
    backend = chosen_backend() if backend is None else check_backend(backend)
    frames = iter_frames(path, fps=FPS)  # first, so that a file that can't be read is named by what is wrong with it
    kept = kept_table(path, backend, cache)
    if kept.is_file():
        try:
            return read_openface_csv(kept)
        except DataError as error:  # the fault is the cache's, not the clip's
            warnings.warn(f"tracking {path} again: {error}", stacklevel=2)
    table = _find_landmarks(path, frames, backend, kept.parent)
    write_openface_csv(table, kept)
    return table


def _find_landmarks(
    path: str | os.PathLike[str], frames: Iterator[tuple[float, np.ndarray]], backend: str, folder: Path
) -> pd.DataFrame:
    """Return what a backend makes of a video; `frames` are its frames, `folder` is for what is written on the way."""
    if backend == "dlib":
        from microx_utils.dlib_landmarks import DlibTracker  # an extra, and it imports this module

        return track_frames(frames, tracker=DlibTracker())
    if backend == "litert":
        return track_frames(frames)
    program = openface.find_program()
    if program is None:
        raise DataError(path, "has no landmarks by OpenFace yet, and OpenFace isn't found here", openface.HOW_TO_GET)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".openface-", dir=folder, ignore_cleanup_errors=True) as out:
        row = openface.run([path], out, program=program, jobs=1, progress=False).iloc[0]
        if row["problem"]:
            raise DataError(path, row["problem"], "Look at the video, or leave the clip out.")
        return of_openface(read_openface_csv(row["csv"]), path)


def of_openface(table: pd.DataFrame, path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a table of `openface.run`, one row a frame that OpenFace saw, at 30 fps."""
    if split_path(path)[1] is not None:  # OpenFace was shown the part at 30 fps
        return rows_at_fps(table, np.arange(len(table)))
    return rows_at_fps(table, stored_frames(path, fps=FPS))


def rows_at_fps(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return some rows of a table, in order, as the clip's rows at 30 fps; the last for those that it lacks.

    Columns are put into the order that a kept table has, so that what is found is what will be read again.
    """
    table = table[[*REQUIRED_COLUMNS, *(name for name in table.columns if name not in REQUIRED_COLUMNS)]]
    table = table.iloc[np.minimum(rows, len(table) - 1)].reset_index(drop=True)
    return table.assign(frame=np.arange(1, len(table) + 1), timestamp=(np.arange(len(table)) / FPS).round(6))
