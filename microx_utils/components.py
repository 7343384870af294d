"""Crop the face's components from a frame (paper, sections III.B and IV.B).

Left and right are the PERSON's, as in anatomy: the left eye is on the right of the picture. The paper and its code name
the sides as the viewer sees them; PAPER_NAMES translates.
"""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

COMPONENTS = ("full_face", "left_eyebrow", "right_eyebrow", "left_eye", "right_eye", "nose", "mouth")
"""The order of crops in every array."""

FULL_FACE = COMPONENTS.index("full_face")

PAPER_COMPONENTS = ("full_face", "left_eye", "right_eye", "nose", "mouth")
"""The five inputs in the paper's Figures 4 and 6."""

PAPER_NAMES = {
    "full_face": "full_face",
    "left_eyebrow": "right_eyebrow",
    "right_eyebrow": "left_eyebrow",
    "left_eye": "right_eye",  # the authors cut their "left eye" from points 36-41
    "right_eye": "left_eye",
    "nose": "nose",
    "mouth": "mouth",
}
"""A component's name in the paper (in Table 6, for example) -> its name here."""


def block_parts(block: str) -> list[str]:
    """Return the components that one block of a network sees.

    >>> block_parts("left_eye+right_eye")
    ['left_eye', 'right_eye']
    """
    return block.split("+")


def block_name(block: str) -> str:
    """Return a block's name in a network, in which Keras doesn't allow "+".

    >>> block_name("left_eye+right_eye")
    'left_eye_and_right_eye'
    """
    return block.replace("+", "_and_")


def check_blocks(blocks: Sequence[str]) -> None:
    """Raise ValueError for no blocks, and for unknown or repeated components."""
    parts = [part for block in blocks for part in block_parts(block)]
    if unknown := [part for part in parts if part not in COMPONENTS]:
        raise ValueError(f"unknown components {unknown}; choose from {list(COMPONENTS)}, joined by + for one block")
    if not parts or len(set(parts)) != len(parts):
        raise ValueError(f"components are {list(blocks)}; give one or more of {list(COMPONENTS)}, each once")


LANDMARK_GROUPS = {
    "jaw": range(17),
    "right_eyebrow": range(17, 22),
    "left_eyebrow": range(22, 27),
    "nose": range(27, 36),
    "right_eye": range(36, 42),
    "left_eye": range(42, 48),
    "mouth": range(48, 68),
}
"""The 68 iBUG points of each part of the face."""

ALIGNED_SIDES = {
    "full_face": 2.6,
    "left_eyebrow": 0.97,
    "right_eyebrow": 0.97,
    "left_eye": 0.84,
    "right_eye": 0.84,
    "nose": 1.01,
    "mouth": 1.28,
}
"""Side of an aligned crop, in distances between the eye centres. With a fixed side one sees a mouth or an eye open; a
box around the points, squashed to a square, would cancel just that."""

FULL_FACE_DROP = 0.55
"""Centre of the aligned face below the middle of the eyes, in the same unit. It depends on the eyes alone, so the chin
moves in the crop when the jaw drops, with enough room for brows and chin."""

_PUBLISHED_POINTS = {  # (left, right, top, bottom): x of the first two points, y of the others
    "right_eye": (36, 39, 38, 40),
    "left_eye": (42, 45, 44, 46),
    "nose": (31, 35, 27, 33),
    "mouth": (48, 54, 51, 57),
}
_PUBLISHED_MARGIN = 5  # px
_MAX_OUTSIDE = 0.25  # of a crop's area
_MIN_EYE_DISTANCE = 1.0  # px; before the first face all landmarks are zeros

Style = Literal["aligned", "published"]
STYLES: tuple[Style, ...] = ("aligned", "published")


def component_boxes(
    points: np.ndarray, *, style: Style = "aligned", shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """Return the corners of the seven component boxes, for cropping and for drawing.

    aligned
        Squares around each component's mean point, rotated with the line between the eyes and scaled with the distance
        between the eye centres (ALIGNED_SIDES).
    published
        The authors' upright boxes: from one landmark to another plus 5 px, with any aspect ratio; `full_face` is the
        whole frame. Their code never crops eyebrows (that branch compares names that can't match, and an eye is cropped
        again); here they are the upright box of the five points plus the same 5 px.

    Parameters
    ----------
    points : float (68, 2)
        iBUG landmarks, px of the frame.
    style
        One of STYLES.
    shape
        The frame's (H, W, ...); required for "published", whose full face is the frame.

    Returns
    -------
    float64 (7, 4, 2)
        In the order of COMPONENTS; corners in px, clockwise from the crop's top left. Pixel (0, 0) has its centre at 0,
        so a whole frame extends from -0.5 to W - 0.5. NaN where the landmarks give no box (no face yet).
    """
    points = np.asarray(points, np.float64)
    if points.shape != (68, 2):
        raise ValueError(f"points are {points.shape}, expected (68, 2)")
    if style == "aligned":
        return _aligned_boxes(points)
    if style == "published":
        if shape is None:
            raise ValueError("the published full face is the whole frame: pass shape=frame.shape")
        return _published_boxes(points, shape)
    raise ValueError(f"unknown style {style!r}; choose from {list(STYLES)}")


def _aligned_boxes(points: np.ndarray) -> np.ndarray:
    right_eye, left_eye = (points[LANDMARK_GROUPS[eye]].mean(axis=0) for eye in ("right_eye", "left_eye"))
    across = left_eye - right_eye  # along the crop's x axis, one eye distance long
    if not np.hypot(*across) >= _MIN_EYE_DISTANCE:
        return np.full((len(COMPONENTS), 4, 2), np.nan)
    down = np.array([-across[1], across[0]])
    centres = [
        (right_eye + left_eye) / 2 + FULL_FACE_DROP * down
        if name == "full_face"
        else points[LANDMARK_GROUPS[name]].mean(axis=0)
        for name in COMPONENTS
    ]
    halves = np.array([ALIGNED_SIDES[name] for name in COMPONENTS])[:, None, None] / 2
    corners = np.stack([-across - down, across - down, across + down, down - across])  # (4, 2)
    return np.array(centres)[:, None] + halves * corners


def _published_boxes(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape[:2]
    boxes = []
    for name in COMPONENTS:
        if name == "full_face":
            left, right, top, bottom = -0.5, width - 0.5, -0.5, height - 0.5
        else:
            if name in _PUBLISHED_POINTS:
                a, b, c, d = _PUBLISHED_POINTS[name]
                x, y = points[[a, b], 0], points[[c, d], 1]
            else:
                x, y = points[LANDMARK_GROUPS[name]].T
            left, right = x.min() - _PUBLISHED_MARGIN, x.max() + _PUBLISHED_MARGIN
            top, bottom = y.min() - _PUBLISHED_MARGIN, y.max() + _PUBLISHED_MARGIN
        boxes.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    result = np.array(boxes)
    if not np.ptp(points) > 0:  # before the first face
        result[[name != "full_face" for name in COMPONENTS]] = np.nan
    return result


def to_grey(crops: np.ndarray) -> np.ndarray:
    """Return grey pictures by OpenCV's weights (ITU-R BT.601): uint8 (..., H, W, 3) RGB -> uint8 (..., H, W)."""
    rows = np.ascontiguousarray(crops).reshape(-1, crops.shape[-2], 3)  # all as one tall picture
    return cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY).reshape(crops.shape[:-1])


def crop_components(frame: np.ndarray, points: np.ndarray, *, size: int = 32, style: Style = "aligned") -> np.ndarray:
    """Return the seven component crops of a frame.

    Each box of `component_boxes` is sampled bilinearly on a grid at least as fine as the frame's pixels and twice as
    fine as the crop's, then averaged down (as cv2.INTER_AREA does for upright boxes). So shrinking doesn't alias, and
    sharpness doesn't jump between frames when a box is about as large as the crop. Beyond the frame its border is
    repeated.

    Parameters
    ----------
    frame : uint8 (H, W, 3), RGB
    points : float (68, 2)
        iBUG landmarks, px of the frame.
    size
        Side of the crops, px.
    style
        "aligned" (upright, fixed scale) or "published" (the authors' boxes, squashed to a square).

    Returns
    -------
    uint8 (7, size, size, 3), RGB
        In the order of COMPONENTS. Black where the landmarks give no box; see `component_available`.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"the frame is {frame.dtype} {frame.shape}, expected uint8 (H, W, 3) RGB")
    boxes = component_boxes(points, style=style, shape=frame.shape)
    crops = np.zeros((len(COMPONENTS), size, size, 3), np.uint8)
    for crop, box in zip(crops, boxes, strict=True):
        if np.isfinite(box).all():
            _sample(frame, box, crop)
    return crops


def _sample(frame: np.ndarray, box: np.ndarray, crop: np.ndarray) -> None:
    """Fill `crop` (size, size, 3) with the parallelogram `box` (4, 2) of the frame."""
    size = len(crop)
    top_left, across, down = box[0], box[1] - box[0], box[3] - box[0]
    columns, rows = (size * max(2, int(np.ceil(np.hypot(*edge) / size))) for edge in (across, down))
    x_step, y_step = across / columns, down / rows  # px of the frame between samples
    start = top_left + (x_step + y_step) / 2  # the first sample is the middle of its cell
    matrix = np.column_stack([x_step, y_step, start])  # from sample to frame, as WARP_INVERSE_MAP wants it
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(frame, matrix, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    cv2.resize(fine, (size, size), dst=crop, interpolation=cv2.INTER_AREA)


def component_available(
    points: np.ndarray, shape: tuple[int, ...], *, success: bool, style: Style = "aligned"
) -> np.ndarray:
    """Return bool (7,): which crops show their component, in the order of COMPONENTS.

    False without `success` (the points are stale then), and where the box's centre or more than a quarter of the box is
    outside the frame, whose `shape` is (H, W, ...). Occlusion is not detected: under a mask or a hand the landmarks are
    guessed, with the usual confidence, and only the pixels can tell.
    """
    boxes = component_boxes(points, style=style, shape=shape)
    if not success:
        return np.zeros(len(COMPONENTS), bool)
    height, width = shape[:2]
    frame = np.array([(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)], np.float32)
    return np.array([_inside(box, frame) for box in boxes])


def _inside(box: np.ndarray, frame: np.ndarray) -> bool:
    if not np.isfinite(box).all():
        return False
    centre = box.mean(axis=0)
    if (centre < frame[0]).any() or (centre > frame[2]).any():
        return False
    corners = box.astype(np.float32)
    common, _ = cv2.intersectConvexConvex(corners, frame)
    return common >= (1 - _MAX_OUTSIDE) * cv2.contourArea(corners)
