"""Every face of a video, each followed by itself: its landmarks and crops, frame by frame.

The corpora show one person a clip, and the pipeline follows the largest face. In anybody's video people come and go.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microx_utils.components import LANDMARK_GROUPS, component_available, crop_components
from microx_utils.landmarks import TrackedFace
from microx_utils.trackers.blazeface import Detection, FaceDetector
from microx_utils.trackers.mesh import MeshTracker

LOOK_EVERY = 10
"""Frames from one search for new faces to the next."""

MOST_FACES = 4
"""People that are followed at a time, the largest faces first: each takes as long as a clip of one."""

GONE = 60
"""Frames without a face after which a person has left; who comes back later is someone new."""

SHORTEST = 10
"""Frames in which a face must be found to count as a person: a segment."""

_SAME = 1.0  # in distances between the eyes: centres nearer than that are one face


@dataclass(frozen=True)
class FaceTrack:
    """One person's face in a video, from the first frame that shows it to the last.

    Attributes
    ----------
    number
        1, 2 ... in the order in which people appear, the largest face first.
    first
        The frame of the video that `points[0]` belongs to.
    points
        float32 (N, 68, 2): iBUG landmarks, px of the frame; where the face was not found, the last ones.
    found
        bool (N,): the tracker found the face.
    crops
        uint8 (N, 7, size, size, 3), RGB, aligned, in the order of `COMPONENTS`.
    given
        bool (N, 7), see `components.component_available`.
    """

    number: int
    first: int
    points: NDArray[np.float32]
    found: NDArray[np.bool_]
    crops: NDArray[np.uint8]
    given: NDArray[np.bool_]


def track_faces(frames: Iterable[NDArray[np.uint8]], *, size: int = 32, most: int = MOST_FACES) -> list[FaceTrack]:
    """Follow every face of a video; return a track for each person, none if there is no face.

    Parameters
    ----------
    frames
        uint8 (H, W, 3), RGB, 30 per second.
    size
        Side of the crops, px.
    most
        People that are followed at a time.
    """
    detector = FaceDetector()
    present: list[_Follower] = []
    left: list[_Follower] = []
    for number, frame in enumerate(frames):
        seen: list[TrackedFace] = []
        for person in sorted(present, key=lambda person: person.lost):  # a face belongs to who was seen last
            person.look(frame, seen, size)
        left += [person for person in present if person.lost > GONE]
        present = [person for person in present if person.lost <= GONE]
        if number % LOOK_EVERY == 0 and len(present) < most:
            for face in sorted(detector(frame), key=lambda face: -face.side):
                if len(present) < most and not any(same_face(other, face.centre) for other in seen):
                    person = _Follower(face, number)
                    if person.look(frame, seen, size):
                        present.append(person)
    people = [person for person in [*left, *present] if person.seen >= SHORTEST]
    people.sort(key=lambda person: person.first)  # stable: of those who come together, the largest first
    return [person.track(number) for number, person in enumerate(people, start=1)]


class _Follower:
    """One person while they are followed; `lost` counts the frames since they were seen."""

    def __init__(self, face: Detection, first: int) -> None:
        self._tracker = MeshTracker()
        self._tracker.begin(face)
        self._rows: list[tuple[NDArray, bool, NDArray, NDArray]] = []
        self.first, self.lost, self.seen = first, 0, 0

    def look(self, frame: NDArray[np.uint8], others: list[TrackedFace], size: int) -> bool:
        """Look for the face in the next frame and add it to `others`, the faces there that are known already."""
        face = self._tracker(frame)
        found = face.success and not any(same_face(other, _centre(face)) for other in others)
        if face.success and not found:  # it is somebody else
            self._tracker.lose()
        points = face.points if found or not self._rows else self._rows[-1][0]
        crops = crop_components(frame, points, size=size)
        self._rows.append((points, found, crops, component_available(points, frame.shape, success=found)))
        self.lost, self.seen = (0, self.seen + 1) if found else (self.lost + 1, self.seen)
        others += [face] * found
        return found

    def track(self, number: int) -> FaceTrack:
        """Return what was seen, without the frames after the last face."""
        points, found, crops, given = map(np.array, zip(*self._rows[: len(self._rows) - self.lost], strict=True))
        return FaceTrack(number, self.first, points.astype(np.float32), found, crops, given)


def _centre(face: TrackedFace) -> NDArray:
    return face.points.mean(axis=0)


def same_face(face: TrackedFace, centre: NDArray) -> bool:
    """Tell whether a face with its centre there, px, is this one: nearer than the eyes are apart."""
    right, left = (face.points[LANDMARK_GROUPS[eye]].mean(axis=0) for eye in ("right_eye", "left_eye"))
    return bool(np.linalg.norm(_centre(face) - centre) < _SAME * np.linalg.norm(left - right))
