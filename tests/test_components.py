"""Crops follow the face: geometry to a fraction of a pixel, sides as the person has them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microx_utils.components import (
    COMPONENTS,
    LANDMARK_GROUPS,
    PAPER_COMPONENTS,
    PAPER_NAMES,
    STYLES,
    Style,
    component_available,
    component_boxes,
    crop_components,
)
from microx_utils.faces import render_still
from microx_utils.trackers.mesh import MeshTracker

INDEX = {name: number for number, name in enumerate(COMPONENTS)}


@pytest.fixture(scope="module")
def portrait_points(portrait: np.ndarray) -> np.ndarray:
    return MeshTracker()(portrait).points


def ramp(height: int = 256, width: int = 256) -> np.ndarray:
    """A frame that says where it was looked at: red is x, green is y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def face_like(scale: float = 1.0, centre: tuple[float, float] = (128, 128), angle: float = 0.0) -> np.ndarray:
    """68 points laid out like a frontal face, eyes 60 px apart at scale 1, turned by `angle` (rad)."""
    points = np.zeros((68, 2))
    points[:17] = np.stack([np.linspace(-65, 65, 17), 90 * np.sin(np.linspace(0, np.pi, 17)) - 10], axis=-1)
    for numbers, (x, y), (width, height) in (
        (LANDMARK_GROUPS["right_eyebrow"], (-32, -24), (36, 6)),
        (LANDMARK_GROUPS["left_eyebrow"], (32, -24), (36, 6)),
        (LANDMARK_GROUPS["right_eye"], (-30, 0), (22, 8)),
        (LANDMARK_GROUPS["left_eye"], (30, 0), (22, 8)),
        (LANDMARK_GROUPS["nose"], (0, 25), (20, 36)),
        (range(48, 60), (0, 60), (44, 16)),
        (range(60, 68), (0, 60), (36, 6)),
    ):
        turn = np.linspace(0, 2 * np.pi, len(numbers), endpoint=False) + np.pi
        points[numbers] = np.stack([x + width / 2 * np.cos(turn), y + height / 2 * np.sin(turn)], -1)
    cosine, sine = np.cos(angle), np.sin(angle)
    return scale * points @ np.array([[cosine, sine], [-sine, cosine]]) + centre


def test_names() -> None:
    assert set(PAPER_COMPONENTS) < set(COMPONENTS)
    assert {PAPER_NAMES[PAPER_NAMES[name]] for name in COMPONENTS} == set(COMPONENTS)
    assert PAPER_NAMES["left_eye"] == "right_eye"  # its points 36-41 are the person's right eye
    assert sorted(point for group in LANDMARK_GROUPS.values() for point in group) == list(range(68))


@pytest.mark.parametrize("style", STYLES)
def test_sides_are_the_persons(portrait: np.ndarray, portrait_points: np.ndarray, style: Style) -> None:
    """On a frontal face the left eye's crop lies right of the right eye's in the picture."""
    middle = component_boxes(portrait_points, style=style, shape=portrait.shape).mean(axis=1)
    assert middle[INDEX["left_eye"], 0] > middle[INDEX["nose"], 0] > middle[INDEX["right_eye"], 0]
    assert middle[INDEX["left_eyebrow"], 0] > middle[INDEX["nose"], 0] > middle[INDEX["right_eyebrow"], 0]


@pytest.mark.parametrize("side", ["left", "right"])
def test_painting_one_eye_changes_its_crop_only(portrait: np.ndarray, portrait_points: np.ndarray, side: str) -> None:
    eye = portrait_points[LANDMARK_GROUPS[f"{side}_eye"]]
    painted = cv2.fillConvexPoly(portrait.copy(), np.round(eye).astype(np.int32), (255, 0, 255))
    before, after = (crop_components(frame, portrait_points).astype(int) for frame in (portrait, painted))
    change = np.abs(after - before).mean(axis=(1, 2, 3))
    other = "left" if side == "right" else "right"
    assert change[INDEX[f"{side}_eye"]] > 5
    assert change[INDEX[f"{other}_eye"]] == 0
    assert change[INDEX["mouth"]] == 0


@pytest.mark.parametrize(
    ("unit", "winking", "open_eye"), [("46L", "left_eye", "right_eye"), ("46R", "right_eye", "left_eye")]
)
def test_a_wink_shows_in_the_persons_eye(unit: str, winking: str, open_eye: str) -> None:
    """From a rendered wink through real landmarks to the crops: left and right never change places on the way."""
    still, wink = render_still(5, {}), render_still(5, {unit: 1.0})
    points = MeshTracker()(still).points
    before, after = (crop_components(frame, points).astype(int) for frame in (still, wink))
    change = dict(zip(COMPONENTS, np.abs(after - before).mean(axis=(1, 2, 3)), strict=True))
    assert change[winking] > 4 * change[open_eye]
    assert PAPER_NAMES[open_eye] == winking  # the paper would name the other one


@settings(max_examples=40)
@given(
    scale=st.floats(0.4, 1.2),
    x=st.floats(110, 146),
    y=st.floats(100, 130),
    angle=st.floats(-0.6, 0.6),
    size=st.sampled_from([16, 32, 60]),
    style=st.sampled_from(STYLES),
)
def test_every_pixel_comes_from_its_place(
    scale: float, x: float, y: float, angle: float, size: int, style: Style
) -> None:
    """On a frame whose colour is its coordinate, each crop pixel shows the middle of its cell of the box."""
    frame, points = ramp(), face_like(scale, (x, y), angle)
    boxes = component_boxes(points, style=style, shape=frame.shape)
    crops = crop_components(frame, points, size=size, style=style)
    steps = (np.arange(size) + 0.5) / size
    for crop, box in zip(crops, boxes, strict=True):
        across, down = box[1] - box[0], box[3] - box[0]
        place = box[0] + steps[None, :, None] * across + steps[:, None, None] * down  # (size, size, 2)
        cell = np.abs(across).max() / size / 2 + 1
        inside = ((place > cell) & (place < 255 - cell)).all(axis=-1)  # the border is repeated beyond
        assert np.abs(crop[..., :2] - place)[inside].max(initial=0) <= 1.0


@settings(max_examples=20)
@given(dx=st.integers(-40, 40), dy=st.integers(-40, 40), style=st.sampled_from(STYLES))
def test_moving_face_and_points_leaves_crops(
    portrait: np.ndarray, portrait_points: np.ndarray, dx: int, dy: int, style: Style
) -> None:
    moved = np.roll(portrait, (dy, dx), axis=(0, 1))
    before = crop_components(portrait, portrait_points, style=style)[1:]
    after = crop_components(moved, portrait_points + np.array([dx, dy]), style=style)[
        1:
    ]  # the face alone: the frame differs
    assert np.abs(after.astype(int) - before).max() <= 1


@settings(max_examples=20)
@given(angle=st.floats(-45, 45), scale=st.floats(0.8, 1.6))
def test_turning_face_and_points_leaves_aligned_crops(
    portrait: np.ndarray, portrait_points: np.ndarray, angle: float, scale: float
) -> None:
    matrix = cv2.getRotationMatrix2D((224, 124), angle, scale)
    turned = cv2.warpAffine(portrait, matrix, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    points = portrait_points @ matrix[:, :2].T + matrix[:, 2]
    before, after = crop_components(portrait, portrait_points), crop_components(turned, points)
    difference = np.abs(after.astype(int) - before).mean(axis=(1, 2, 3))
    assert difference[1:].max() < 4  # grey levels, from interpolating twice
    assert difference[0] < 8  # the whole face reaches beyond the portrait's edge when it is turned


def test_published_boxes_are_the_authors(rng: np.random.Generator) -> None:
    points = face_like() + rng.normal(0, 1, (68, 2))
    boxes = component_boxes(points, style="published", shape=(200, 300, 3))
    x, y = points.T
    np.testing.assert_allclose(boxes[INDEX["right_eye"]][[0, 2]], [(x[36] - 5, y[38] - 5), (x[39] + 5, y[40] + 5)])
    np.testing.assert_allclose(boxes[INDEX["left_eye"]][[0, 2]], [(x[42] - 5, y[44] - 5), (x[45] + 5, y[46] + 5)])
    np.testing.assert_allclose(boxes[INDEX["full_face"]], [(-0.5, -0.5), (299.5, -0.5), (299.5, 199.5), (-0.5, 199.5)])


def test_published_full_face_is_the_frame_squashed() -> None:
    frame = ramp(192, 256)
    crop = crop_components(frame, face_like(), size=32, style="published")[0]
    expected = cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(crop.astype(int) - expected).max() <= 1


def test_aligned_boxes_are_turned_squares() -> None:
    angle = 0.3
    boxes = component_boxes(face_like(angle=angle))
    edges = np.roll(boxes, -1, axis=1) - boxes
    sides = np.linalg.norm(edges, axis=-1)
    np.testing.assert_allclose(sides[INDEX["mouth"]], 1.28 * 60, rtol=1e-6)
    np.testing.assert_allclose(sides, sides[:, :1].repeat(4, axis=1))
    np.testing.assert_allclose(np.arctan2(*edges[:, 0].T[::-1]), angle)
    corner = boxes[INDEX["mouth"]]
    assert np.cross(*np.pad(corner[1:3] - corner[0:2], ((0, 0), (0, 1))))[2] > 0  # clockwise on the screen


def test_the_aligned_face_holds_brows_and_chin(portrait_points: np.ndarray) -> None:
    box = component_boxes(portrait_points)[0].astype(np.float32)
    for point in (8, *range(17, 27), *LANDMARK_GROUPS["mouth"]):
        assert cv2.pointPolygonTest(box, tuple(map(float, portrait_points[point])), False) > 0, point


def test_an_opening_mouth_shows_in_aligned_crops_only() -> None:
    """Squashing a box that fits the lips makes any mouth as tall as the crop."""
    closed = face_like()
    opened = closed.copy()
    lips = LANDMARK_GROUPS["mouth"]
    opened[lips, 1] = closed[lips, 1].mean() + 2 * (closed[lips, 1] - closed[lips, 1].mean())

    def height_in_crop(points: np.ndarray, style: Style) -> float:
        box = component_boxes(points, style=style, shape=(256, 256))[INDEX["mouth"]]
        return float(np.ptp(points[LANDMARK_GROUPS["mouth"], 1]) / np.ptp(box[:, 1]))

    assert height_in_crop(opened, "aligned") / height_in_crop(closed, "aligned") == pytest.approx(2)
    assert height_in_crop(opened, "published") / height_in_crop(closed, "published") < 1.5


@pytest.mark.parametrize("style", STYLES)
def test_shrinking_does_not_alias(style: Style) -> None:
    """A chessboard of single pixels, seen from afar, is grey."""
    frame = np.repeat(((np.indices((1024, 1024)).sum(axis=0) % 2) * 255).astype(np.uint8)[..., None], 3, axis=-1)
    crops = crop_components(frame, face_like(5.0, (512, 400), 0.1), style=style)
    assert np.abs(crops.astype(int) - 127).max() < 40
    assert crops.std() < 6


def test_the_border_is_repeated() -> None:
    crop = crop_components(ramp(), face_like(centre=(250, 128)))[INDEX["left_eye"]]
    assert crop[:, -1, 0].min() == 255  # x stops at the last column


# --- availability ---


def test_a_whole_face_is_available(portrait: np.ndarray, portrait_points: np.ndarray) -> None:
    for style in STYLES:
        assert component_available(portrait_points, portrait.shape, success=True, style=style).all()
        assert not component_available(portrait_points, portrait.shape, success=False, style=style).any()


def test_what_leaves_the_frame_is_not_available() -> None:
    half_out = component_available(face_like(centre=(250, 128)), (256, 256, 3), success=True)
    assert dict(zip(COMPONENTS, half_out.tolist(), strict=True)) == {
        "full_face": False,
        "left_eyebrow": False,
        "right_eyebrow": True,
        "left_eye": False,
        "right_eye": True,
        "nose": False,
        "mouth": False,
    }


@pytest.mark.parametrize(("out", "expected"), [(0.2, True), (0.3, False)])
def test_a_quarter_may_be_outside(out: float, expected: bool) -> None:
    points = face_like()
    box = component_boxes(points)[INDEX["mouth"]]
    bottom = box[:, 1].max() - out * np.ptp(box[:, 1])
    available = component_available(points, (round(bottom + 0.5), 256), success=True)
    assert available[INDEX["mouth"]] == expected


@pytest.mark.parametrize("style", STYLES)
def test_a_face_never_seen_gives_black_crops(style: Style) -> None:
    frame, nowhere = np.full((64, 96, 3), 200, np.uint8), np.zeros((68, 2))
    crops = crop_components(frame, nowhere, style=style)
    assert not crops[1:].any()
    assert not component_available(nowhere, frame.shape, success=True, style=style)[1:].any()


# --- arguments ---


def test_shapes() -> None:
    crops = crop_components(ramp(100, 120), face_like(0.5, (60, 50)).astype(np.float32), size=24)
    assert crops.shape == (7, 24, 24, 3)
    assert crops.dtype == np.uint8


def test_bad_arguments() -> None:
    frame, points = ramp(), face_like()
    with pytest.raises(ValueError, match=r"unknown style 'square'; choose from \['aligned', 'published'\]"):
        crop_components(frame, points, style="square")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected \(68, 2\)"):
        crop_components(frame, points[:5])
    with pytest.raises(ValueError, match="expected uint8"):
        crop_components(frame / 255.0, points)
    with pytest.raises(ValueError, match=r"pass shape=frame\.shape"):
        component_boxes(points, style="published")
