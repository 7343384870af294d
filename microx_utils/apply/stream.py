"""A face in a stream, such as a camera's: pushed frame by frame, answered frame by frame.

What `microx predict` does with a clip, without knowing what comes. The frame half of the network looks at each frame
once; the span half joins the last ten, of which it takes five as it does of a segment. Pushed at 30 frames per second,
a clip gets the same answers here at the end of each of its segments.
"""

import time as clock
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from microx_utils.apply.compiled import Halves
from microx_utils.apply.tracks import GONE, LOOK_EVERY, same_face
from microx_utils.components import (
    ALIGNED_SIDES,
    COMPONENTS,
    FULL_FACE,
    component_available,
    component_boxes,
    crop_components,
)
from microx_utils.landmarks import TrackedFace
from microx_utils.rivals.classical import level_points
from microx_utils.robust.inputs import REST_FRAMES, mean_crop, moves, pixels, spread
from microx_utils.robust.predicting import SEGMENT_PARTS
from microx_utils.trackers.blazeface import FaceDetector
from microx_utils.trackers.mesh import MeshTracker
from microx_utils.video import FPS

SPAN = 10
"""Frames that an answer is about, as many as a segment has."""

PAUSE = 1.0
"""Seconds without a frame after which the frames before are no longer part of an answer."""

SMALLEST = 24.0
"""Px between the eyes: below it, a crop of an eye has less than 20 px across, and is shown to the network enlarged."""

SLOWEST = 15.0
"""Frames per second, half of what the network was trained on; below it, movement is seen as twice as fast."""

PROBLEMS = {
    "no face": "No face is found. Look into the camera, with the whole face in the picture and light on it.",
    "another face": "Another face is in the picture. The face that was found first is followed; the other is left out.",
    "small": "The face is small. Come nearer to the camera.",
    "slow": f"Fewer than {SLOWEST:.0f} frames per second arrive. The network knows movement at {FPS:.0f} per second, so"
    " trust its answer less.",
    "late": "A frame came after a later one, and was left out.",
    "new size": "The picture's size has changed. The face is searched for anew; the neutral face is kept.",
}
"""What can be wrong -> how to say it."""

_NOTHING = np.zeros(len(COMPONENTS), np.float32)


@dataclass(frozen=True)
class Moment:
    """What is known after a frame.

    Attributes
    ----------
    number, time
        How many frames were looked at, this one included; when it was taken, s.
    person
        1, 2 ...: who left for two seconds comes back as someone new. 0 before the first face.
    found
        A face was found in this frame.
    points, boxes
        float64 (68, 2) landmarks and (7, 4, 2) corners of the components' boxes, px of the frame: the last ones seen if
        none was found, zeros and NaN before.
    available, weights
        float32 (7,): how likely each component can be seen in this frame, and its weight in the answer.
    probabilities
        float64 (7,), in the order of EMOTIONS, over the last ten frames; None if none of them shows a face.
    neutral
        How many frames the own neutral is made of so far: complete with three.
    rate, missed
        Frames per second that arrived over the last second, 0 for the first; and how many of 30 per second never did.
    problems
        Names in PROBLEMS.
    milliseconds
        What each step took.
    """

    number: int
    time: float
    person: int
    found: bool
    points: NDArray[np.float64]
    boxes: NDArray[np.float64]
    available: NDArray[np.float32]
    weights: NDArray[np.float32]
    probabilities: NDArray[np.float64] | None
    neutral: int
    rate: float
    missed: int
    problems: tuple[str, ...]
    milliseconds: dict[str, float]


@dataclass
class _Look:
    """A frame of the last ten: what was cut out of it, and what the frame half says of that."""

    crops: NDArray[np.uint8]
    level: NDArray[np.float32]
    given: NDArray[np.bool_]
    said: dict[str, NDArray[np.float32]] = field(default_factory=dict)


class Stream:
    """One face in a stream of frames, the largest at first.

    Parameters
    ----------
    halves
        The network, see `compiled`.
    """

    def __init__(self, halves: Halves) -> None:
        self._halves, self._tracker, self._detector = halves, MeshTracker(), FaceDetector()
        self._times: deque[float] = deque(maxlen=round(4 * FPS))
        self._looks: deque[_Look | None] = deque(maxlen=SPAN)  # None: no face
        self._seen: deque[_Look] = deque(maxlen=REST_FRAMES)  # the last ones with a face
        self._rest: list[_Look] = []  # the own neutral
        self._rest_crops, self._rest_level = np.zeros(0, np.uint8), np.zeros(0, np.float32)
        self._number, self._person, self._missed = 0, 0, 0
        self._last_seen: float | None = None
        self._shape: tuple[int, ...] | None = None
        self._another = False
        self._spent: dict[str, float] = {}
        self._last: Moment | None = None

    def push(self, picture: NDArray[np.uint8], time: float) -> Moment:
        """Look at the next frame.

        Parameters
        ----------
        picture
            uint8 (H, W, 3), RGB; H and W may change.
        time
            When it was taken, s, from any start. A frame that isn't later than the last is left out.

        Raises
        ------
        ValueError
            The picture has another shape or type.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"the frame is {picture.dtype} {picture.shape}, expected uint8 (H, W, 3) RGB")
        if self._last is not None and time <= self._last.time:
            return Moment(**vars(self._last) | {"problems": ("late",), "milliseconds": {}})
        self._spent = {}
        problems = self._begin(picture.shape, time)
        with self._timed("landmarks"):
            face = self._tracker(picture)
        with self._timed("other faces"):
            self._search(picture, face)
        look = self._cut(picture, face, time) if face.success else None
        self._looks.append(look)
        with self._timed("frame"):
            self._look(look)
        with self._timed("span"):
            probabilities = self._answer()
        boxes = component_boxes(face.points)
        rate = (len(self._times) - 1) / (self._times[-1] - self._times[0]) if len(self._times) > 1 else 0.0
        distance = np.linalg.norm(boxes[FULL_FACE, 1] - boxes[FULL_FACE, 0]) / ALIGNED_SIDES["full_face"]
        wrong = {
            "no face": not face.success,
            "another face": self._another,
            "small": face.success and distance < SMALLEST,
            "slow": 0 < rate < SLOWEST,
        }
        self._last = Moment(
            number=self._number,
            time=time,
            person=self._person,
            found=face.success,
            points=face.points,
            boxes=boxes,
            available=look.said["available"][0] if look else _NOTHING,
            weights=look.said["weights"][0] if look else _NOTHING,
            probabilities=probabilities,
            neutral=len(self._rest),
            rate=rate,
            missed=self._missed,
            problems=(*problems, *(name for name, there in wrong.items() if there)),
            milliseconds=self._spent,
        )
        return self._last

    @property
    def time(self) -> float:
        """When the last frame was taken, s; 0 before the first."""
        return self._last.time if self._last else 0.0

    def set_neutral(self) -> bool:
        """Take the last three frames that show the face for its own neutral; False if there are none.

        The frames of the next answer are looked at again, against the new neutral.
        """
        if not self._seen:
            return False
        self._rest = list(self._seen)
        self._look_again()
        return True

    def forget(self) -> None:
        """Forget the face and its neutral: who comes next is someone new."""
        self._tracker.reset()
        self._looks.clear()
        self._seen.clear()
        self._rest, self._last_seen = [], None

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = clock.perf_counter()
        yield
        self._spent[step] = 1000 * (clock.perf_counter() - start)

    def _begin(self, shape: tuple[int, ...], time: float) -> list[str]:
        """Take a frame's size and time into account; return what is wrong with them."""
        problems = []
        if self._shape not in (None, shape):
            self._tracker.reset()
            problems.append("new size")
        if self._times:
            pause = time - self._times[-1]
            self._missed += max(0, round(pause * FPS) - 1)
            if pause > PAUSE:
                self._looks.clear()
        if self._last_seen is not None and time - self._last_seen > (GONE + 1.5) / FPS:
            self.forget()
        self._shape, self._number = shape, self._number + 1
        self._times.append(time)
        while self._times[0] < time - 1.0:
            self._times.popleft()
        return problems

    def _search(self, picture: NDArray[np.uint8], face: TrackedFace) -> None:
        """Look from time to time whether somebody else is there."""
        if self._number % LOOK_EVERY == 1:
            self._another = face.success and any(not same_face(face, other.centre) for other in self._detector(picture))

    def _cut(self, picture: NDArray[np.uint8], face: TrackedFace, time: float) -> _Look:
        with self._timed("crops"):
            crops = crop_components(picture, face.points, size=self._halves.size)
            given = component_available(face.points, picture.shape, success=True)
            level = level_points(face.points.astype(np.float32)[None])[0].astype(np.float32)
        if self._last_seen is None:
            self._person += 1
        self._last_seen = time
        look = _Look(crops, level, given)
        self._seen.append(look)
        return look

    def _look(self, look: _Look | None) -> None:
        """Let the frame half look at the newest frame."""
        if look is not None and len(self._rest) < REST_FRAMES:
            self._rest.append(look)
            self._look_again()  # at most twice more for the first frames
        elif look is not None:
            self._ask(look)

    def _look_again(self) -> None:
        rest = [self._rest[k] for k in np.resize(range(len(self._rest)), REST_FRAMES)]
        self._rest_crops = mean_crop(np.array([[look.crops for look in rest]]))[0]
        self._rest_level = np.mean([look.level for look in rest], axis=0, dtype=np.float32)
        for look in self._looks:
            if look is not None:
                self._ask(look)

    def _ask(self, look: _Look) -> None:
        look.said = self._halves.frame(
            {
                "pixels": pixels(look.crops[None], self._rest_crops),
                "moves": moves(look.level[None], self._rest_level),
                "given": look.given[None].astype(np.float32),
            }
        )

    def _answer(self) -> NDArray[np.float64] | None:
        """Return the probabilities over the last frames; a frame without a face says nothing in them, as in a clip."""
        faces = [look.said["face"][0] for look in self._looks if look is not None]
        if not faces:
            self._looks.clear()  # an answer begins with a face
            return None
        every = np.array([np.zeros_like(faces[0]) if look is None else look.said["face"][0] for look in self._looks])
        chosen = spread([0], [len(every)], SEGMENT_PARTS)
        found = self._halves.span({"faces": every[chosen]})["emotion"][0].astype(np.float64)
        return found / found.sum()
