"""The default tracker: 68 landmarks in every frame of a clip, offline, by two small networks run with LiteRT.

BlazeFace (Bazarevsky et al. 2019) finds the face, MediaPipe's face mesh (Kartynnik et al. 2019) puts 468 points on
it, and a table turns those into the 68 iBUG points that OpenFace and the paper's section III.B use. After that the
face is followed: the mesh of one frame says where to look in the next, more than twice as fast as detecting it again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from microx_utils.landmarks import POINTS, TrackedFace, track_frames
from microx_utils.trackers.blazeface import Detection, FaceDetector, Network, sigmoid, weights_version

VERSION = 2
"""Raise the number when a change moves landmarks: cached tables of older versions are then not used."""

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
_UPSIDE_DOWN = 10.0
"""A detected face is upside down if turned by 180 degrees its logit is this much higher. Measured: 24 or more for
upside-down faces, at most 2 for upright ones, masked ones included."""
_REACH = 1.0  # a lost face is searched for within this many box sides of its last place,
_REACH_GROWTH = 0.2  # and that many more for every frame that it stays away


class MeshTracker:
    """Landmarks frame by frame, following one person: `tracker(frame)` gives a `TrackedFace`.

    It starts with the largest face, and follows it without detection while the mesh network recognises it. When it is
    lost, every frame is searched, and the face nearest to the last place is taken if it is near enough; the limit
    grows while the face stays away. So a bystander does not become the subject because the subject turned away.

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
        self._region: _Region | None = None  # where the face is expected; None when it must be detected
        self._last: _Region | None = None  # where it was seen last
        self._points = np.zeros((POINTS, 2))
        self._lost = 0  # frames since
        self.detections = 0  # number of searched frames, for benchmarks

    def begin(self, face: Detection) -> None:
        """Forget the face, and start with this one instead of the largest."""
        self.reset()
        self._last = _Region(face.centre, face.side * _REGION, _angle(*face.eyes))

    def lose(self) -> None:
        """Take the face of the last frame for another person's: search for the own one in the next."""
        self._region = None

    def __call__(self, frame: np.ndarray) -> TrackedFace:
        """Find the landmarks in the next uint8 (H, W, 3) RGB frame of a clip."""
        for region in self._regions(frame):
            mesh, logit = self._locate(frame, region)
            if region is not self._region:  # found by a detector, which takes upside-down faces for upright ones
                turned_mesh, turned_logit = self._locate(frame, replace(region, angle=region.angle + np.pi))
                if turned_logit > logit + _UPSIDE_DOWN:
                    mesh, logit = turned_mesh, turned_logit
            score = float(sigmoid(np.array(logit)))
            if score >= _FACE_SCORE:
                self._region = self._last = _Region.around(mesh)
                self._points = (mesh[_FIRST] + mesh[_SECOND]) / 2
                self._lost = 0
                return TrackedFace(self._points.copy(), True, score)
        self._region = None
        self._lost += 1
        return TrackedFace(self._points.copy(), False, 0.0)

    def _regions(self, frame: np.ndarray) -> "Iterator[_Region]":
        """Yield where the face may be, the most likely place first; the frame is searched only when asked for more."""
        if self._region is not None and self._follow:
            yield self._region
        self.detections += 1
        for detector in (self._near, self._far):
            for face in self._candidates(detector(frame)):
                yield _Region(face.centre, face.side * _REGION, _angle(*face.eyes))

    def _candidates(self, faces: list[Detection]) -> list[Detection]:
        """Return the faces that may be the subject, the most likely first."""
        if self._last is None:
            return sorted(faces, key=lambda face: -face.side)
        last, reach = self._last, (_REACH + _REACH_GROWTH * self._lost) * self._last.side / _REGION
        distances = [float(np.linalg.norm(face.centre - last.centre)) for face in faces]
        return [faces[i] for i in np.argsort(distances) if distances[i] <= reach]

    def _locate(self, frame: np.ndarray, region: "_Region") -> tuple[np.ndarray, float]:
        """Run the mesh network on a region: points float64 (468, 2) in px of the frame, and the face score's logit."""
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
        return (mesh - shift) @ np.linalg.inv(turn).T, float(score.ravel()[0])


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


def version() -> list[Any]:
    """See `landmarks.Tracker`."""
    return [VERSION, weights_version()]


def problem() -> str:
    """Return "": the networks come with the package's dependencies."""
    return ""


def find_landmarks(
    path: str | os.PathLike[str], frames: Iterator[tuple[float, np.ndarray]], folder: Path
) -> pd.DataFrame:
    """See `landmarks.Tracker`."""
    return track_frames(frames, MeshTracker())


def problems_ahead(
    clips: list[str], *, jobs: int | None = None, cache: str | os.PathLike[str] | None = None
) -> list[str]:
    """See `landmarks.Tracker`: nothing is gained by taking many clips at once."""
    return [""] * len(clips)
