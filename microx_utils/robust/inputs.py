"""What the robust model sees of a clip: seven crops, their change since the own neutral, and moved landmarks.

Two things make people comparable. Everything is measured against the clip's **own neutral**, its first frames with a
face: what a brow has moved, not where it is. And the right half of a face is a mirrored left half: left components are
mirrored, so that one block learns from both eyes.

Coordinates of the face: the eyes' centres lie at (-0.5, 0) and (0.5, 0), y points down.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from microx_utils.components import ALIGNED_SIDES, COMPONENTS, FULL_FACE_DROP, LANDMARK_GROUPS, to_grey
from microx_utils.crops import CropStore
from microx_utils.landmarks import clip_landmarks, landmark_array
from microx_utils.rivals.classical import level_points
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.support.parallel import run_parallel

REST_FRAMES = 3
"""The clip's first frames with a face, whose mean is its own neutral."""

LEFT = [k for k, name in enumerate(COMPONENTS) if name.startswith("left_")]
"""The components that are mirrored, to look like right ones."""

MIRROR = [COMPONENTS.index(n.replace("left", "?").replace("right", "left").replace("?", "right")) for n in COMPONENTS]
"""Index of each component's mirror image."""

_JAW = range(2, 15)
_PARTS = {name: _JAW if name == "full_face" else LANDMARK_GROUPS[name] for name in COMPONENTS}
MOVES = 2 * max(map(len, _PARTS.values()))
"""Numbers that describe how the landmarks of one component have moved; unused ones are 0."""

_GROUP_OF = np.zeros(68, int)  # 0: the jaw
for _number, _ids in enumerate(LANDMARK_GROUPS.values(), start=1):
    _GROUP_OF[list(_ids)] = _number

MOVE_SCALE = 12.0
"""Moves are given in 1/12 of the distance between the eyes, about what a raised brow moves."""

_MIRRORED_POINTS = np.array(
    [
        *(*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)),  # jaw, brows, nose
        *(*range(45, 41, -1), 47, 46, *range(39, 35, -1), 41, 40),  # eyes
        *(*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)),  # mouth
    ]
)
"""The iBUG point on the other side of the face."""


_FLIP = np.array([-1, 1], np.float32)


@dataclass(frozen=True)
class Faces:
    """Crops and landmarks of some frames in a row, of one clip or of all clips of a store.

    Attributes
    ----------
    crops
        uint8 (N, 7, size, size, 3), RGB, aligned, in the order of `COMPONENTS`; may be memory-mapped.
    points
        float32 (N, 68, 2): landmarks in coordinates of the face.
    given
        bool (N, 7): the tracker found the face, and the component lies inside the picture.
    rest
        int (N, REST_FRAMES): for each frame, the rows of its clip's own neutral.
    """

    crops: NDArray[np.uint8]
    points: NDArray[np.float32]
    given: NDArray[np.bool_]
    rest: NDArray[np.intp]


def clip_faces(crops: NDArray[np.uint8], points: NDArray[Any], given: NDArray[np.bool_]) -> Faces:
    """Return the faces of one clip: aligned crops, landmarks in px (N, 68, 2), and availability (`crops.crop_clip`).

    Raises ValueError if no frame shows a face.
    """
    seen = np.flatnonzero(given.any(axis=1))
    if not len(seen):
        raise ValueError("no frame of the clip shows a face")
    first = int(seen[0])
    level = np.zeros((len(points), 68, 2), np.float32)
    level[first:] = level_points(points[first:])  # before the first face there are no points
    level[:first] = level[first]
    rest = np.resize(seen[:REST_FRAMES], REST_FRAMES)
    return Faces(crops, level, given, np.broadcast_to(rest, (len(points), REST_FRAMES)))


def store_faces(store: CropStore) -> Faces:
    """Return the faces of all frames of a store, whose crops must be aligned; what is made of landmarks is cached."""
    if store.style != "aligned":
        raise ValueError(f"the crops are {store.style}; the robust model needs aligned ones: crops(style='aligned')")
    folder = paths.PROCESSED / "robust" / f"faces-{store.key}"
    with caching.lock(folder):
        if not caching.ready(folder):
            calls = [(row.path, row.frames, paths.PROCESSED) for row in store.clips.itertuples()]
            found = run_parallel(_points_of_clip, calls, desc="reading landmarks")
            points = np.empty((len(store.crops), 68, 2), np.float32)
            rest = np.empty((len(store.crops), REST_FRAMES), np.intp)
            for first, frames, each in zip(store.clips["first"], store.clips["frames"], found, strict=True):
                rows = slice(first, first + frames)
                clip = clip_faces(store.crops[rows], each, store.available[rows])
                points[rows], rest[rows] = clip.points, first + clip.rest
            with caching.atomic_folder(folder) as made:
                np.save(made / "points.npy", points)
                np.save(made / "rest.npy", rest)
    return Faces(store.crops, np.load(folder / "points.npy"), store.available, np.load(folder / "rest.npy"))


def _points_of_clip(path: str, frames: int, processed: Any) -> NDArray[np.float32]:
    return landmark_array(clip_landmarks(path, cache=processed))[:frames]


def mirrored(
    crops: NDArray[np.uint8], points: NDArray[np.float32], given: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the faces (..., 7, size, size, 3), (..., 68, 2), (..., 7) as a mirror shows them."""
    return crops[..., MIRROR, :, ::-1, :], points[..., _MIRRORED_POINTS, :] * _FLIP, given[..., MIRROR]


def component_centres(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the centres of the aligned crops in coordinates of the face: (..., 68, 2) -> (..., 7, 2)."""
    centres = [
        np.broadcast_to(np.array([0, FULL_FACE_DROP], np.float32), (*points.shape[:-2], 2))
        if name == "full_face"
        else points[..., LANDMARK_GROUPS[name], :].mean(axis=-2)
        for name in COMPONENTS
    ]
    return np.stack(centres, axis=-2)


def component_sides() -> NDArray[np.float32]:
    """Return the sides of the seven aligned crops, in eye distances: (7,)."""
    return np.array([ALIGNED_SIDES[name] for name in COMPONENTS], np.float32)


def moves(points: NDArray[np.float32], rest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how the landmarks of each component have moved since the own neutral: (..., 7, MOVES).

    Points are in coordinates of the face, so the head's place, size and roll are taken off. Left components move as
    their mirror images would.

    Parameters
    ----------
    points, rest
        float32 (..., 68, 2): now, and in the own neutral.
    """
    change = MOVE_SCALE * (points - rest)
    result = np.zeros((*points.shape[:-2], len(COMPONENTS), MOVES), np.float32)
    for k, name in enumerate(COMPONENTS):
        if k in LEFT:
            part = change[..., _MIRRORED_POINTS[list(_PARTS[COMPONENTS[MIRROR[k]]])], :] * _FLIP
        else:
            part = change[..., list(_PARTS[name]), :]
        result[..., k, : 2 * part.shape[-2]] = part.reshape(*part.shape[:-2], -1)
    return result


def jittered(points: NDArray[np.float32], error: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return landmarks as a tracker finds them: parts of the face err as a whole, and each point by itself.

    Parameters
    ----------
    points
        float32 (1 + T, 68, 2) in coordinates of the face: the own neutral, and frames of one clip.
    error
        Standard deviation in either direction, eye distances.
    """
    groups = _GROUP_OF.max() + 1
    parts = rng.normal(0, 0.6, (len(points), groups, 2))  # in each frame
    parts[1:] += rng.normal(0, 0.6, (1, groups, 2))  # in all of them but the neutral
    alone = rng.normal(0, 0.4, points.shape)
    return (points + error * (parts[:, _GROUP_OF] + alone)).astype(np.float32)


def pixels(crops: NDArray[np.uint8], rest: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a block sees: its crop in colour, and its change in grey since the own neutral, around 128.

    Parameters
    ----------
    crops
        uint8 (..., T, 7, size, size, 3), RGB.
    rest
        uint8 (..., 7, size, size, 3): the own neutral.

    Returns
    -------
    uint8 (..., T, 7, size, size, 4)
        Left components mirrored.
    """
    change = to_grey(crops).astype(np.int16) - to_grey(rest)[..., None, :, :, :]
    seen = np.concatenate([crops, np.clip(128 + change, 0, 255).astype(np.uint8)[..., None]], axis=-1)
    seen[..., LEFT, :, :, :] = seen[..., LEFT, :, ::-1, :]
    return seen


def frame_inputs(faces: Faces, frames: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Return the network's input for some frames: rows (B, T) of `faces`, each line of one clip.

    Returns
    -------
    dict
        pixels: uint8 (B, T, 7, size, size, 4); moves: float32 (B, T, 7, MOVES); given: float32 (B, T, 7).
    """
    rest = faces.rest[frames[:, 0]]  # (B, REST_FRAMES)
    return {
        "pixels": pixels(faces.crops[frames], mean_crop(faces.crops[rest])),
        "moves": moves(faces.points[frames], faces.points[rest].mean(axis=1)[:, None]),
        "given": faces.given[frames].astype(np.float32),
    }


def mean_crop(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean of the frames (B, R, 7, size, size, 3) of own neutrals: uint8 (B, 7, size, size, 3)."""
    return np.rint(crops.mean(axis=1, dtype=np.float32)).astype(np.uint8)


def spread(firsts: ArrayLike, counts: ArrayLike, parts: int) -> NDArray[np.intp]:
    """Return the middle frame of each of `parts` equal parts of some spans: rows (spans, parts).

    >>> spread([100], [10], 5).tolist()
    [[101, 103, 105, 107, 109]]
    """
    within = (np.arange(parts) + 0.5) / parts
    return np.asarray(firsts)[:, None] + (np.asarray(counts)[:, None] * within).astype(np.intp)
