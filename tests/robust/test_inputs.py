"""What the robust model sees: mirrored sides, moves since the own neutral, and changes of pixels."""

from pathlib import Path

import numpy as np
import pytest

from microx_utils import landmark_array
from microx_utils.components import COMPONENTS, LANDMARK_GROUPS
from microx_utils.crops import crop_clip
from microx_utils.landmarks import clip_landmarks
from microx_utils.robust.inputs import (
    LEFT,
    MIRROR,
    MOVE_SCALE,
    Faces,
    clip_faces,
    component_centres,
    frame_inputs,
    jittered,
    mirrored,
    moves,
    pixels,
    spread,
)
from microx_utils.support import paths

CLIP = paths.DATA / "sample" / "own" / "p01" / "surprise_plain_1.mp4"
SIDES = [k for k, name in enumerate(COMPONENTS) if name.startswith(("left", "right"))]


@pytest.fixture(scope="module")
def faces(processed: Path) -> Faces:
    crops, given = crop_clip(CLIP, size=16, processed=processed)
    return clip_faces(crops, landmark_array(clip_landmarks(CLIP, cache=processed)), given)


def test_points_are_turned_upright_with_the_eyes_at_half_a_unit(faces: Faces) -> None:
    for name, x in (("right_eye", -0.5), ("left_eye", 0.5)):
        centre = faces.points[:, LANDMARK_GROUPS[name]].mean(axis=1)
        np.testing.assert_allclose(centre, np.broadcast_to([x, 0], centre.shape), atol=1e-5)


def test_a_mirrored_face_moves_its_other_side(faces: Faces) -> None:
    """A mirror exchanges the sides' moves and changes nothing else about them."""
    before = moves(faces.points, faces.points[0])
    _, points, _ = mirrored(faces.crops, faces.points, faces.given)
    after = moves(points, points[0])
    assert np.abs(before[:, SIDES]).max() > 0.2
    np.testing.assert_allclose(after[:, SIDES], before[:, MIRROR][:, SIDES], atol=1e-4)


def test_mirroring_twice_changes_nothing(faces: Faces) -> None:
    crops, points, given = mirrored(*mirrored(faces.crops, faces.points, faces.given))
    assert (crops == faces.crops).all() and (given == faces.given).all()
    np.testing.assert_array_equal(points, faces.points)


def test_a_mirrored_face_looks_to_the_blocks_as_its_other_side(faces: Faces) -> None:
    """Left components are mirrored, so an exchanged pair gives the same pictures, exchanged."""
    seen = pixels(faces.crops[None, 5:6], faces.crops[None, 0])
    crops, _, _ = mirrored(faces.crops, faces.points, faces.given)
    other = pixels(crops[None, 5:6], crops[None, 0])
    np.testing.assert_array_equal(other[:, :, SIDES], seen[:, :, MIRROR][:, :, SIDES])


def test_the_change_is_in_grey_levels_around_128() -> None:
    rest = np.full((7, 4, 4, 3), 100, np.uint8)
    seen = pixels(np.stack([rest, rest + 30])[None], rest[None])
    assert (seen[0, 0, ..., 3] == 128).all() and (seen[0, 1, ..., 3] == 158).all()
    assert (seen[0, 1, ..., :3] == 130).all()


def test_a_raised_brow_is_a_move_up_of_that_brow_alone() -> None:
    rest = np.zeros((68, 2), np.float32)
    points = rest.copy()
    points[list(LANDMARK_GROUPS["left_eyebrow"]), 1] = -0.1
    found = moves(points, rest)
    brow = COMPONENTS.index("left_eyebrow")
    np.testing.assert_allclose(found[brow, 1:10:2], -0.1 * MOVE_SCALE, rtol=1e-6)
    assert not found[[k for k in range(7) if k != brow]].any()


def test_the_own_neutral_is_the_first_frames_with_a_face(faces: Faces) -> None:
    given = faces.given.copy()
    given[:4] = False
    points = np.concatenate([np.zeros((4, 68, 2), np.float32), faces.points[4:]])
    late = clip_faces(faces.crops, points, given)
    assert late.rest[0].tolist() == [4, 5, 6] and np.isfinite(late.points).all()
    inputs = frame_inputs(late, np.array([[2, 4, 9]]))
    assert inputs["given"].sum(axis=2).tolist() == [[0.0, *faces.given[[4, 9]].sum(axis=1).tolist()]]
    with pytest.raises(ValueError, match="no frame"):
        clip_faces(faces.crops, points, np.zeros_like(given))


def test_a_clip_of_one_frame_is_its_own_neutral(faces: Faces) -> None:
    alone = clip_faces(faces.crops[:1], faces.points[:1], faces.given[:1])
    inputs = frame_inputs(alone, np.array([[0]]))
    assert np.abs(inputs["moves"]).max() < 1e-5 and (inputs["pixels"][..., 3] == 128).all()


def test_centres_are_where_the_aligned_crops_were_cut(faces: Faces) -> None:
    centres = component_centres(faces.points)
    assert (centres[:, LEFT, 0] > 0).all() and (centres[:, COMPONENTS.index("right_eye"), 0] < 0).all()
    assert (centres[:, COMPONENTS.index("mouth"), 1] > centres[:, COMPONENTS.index("nose"), 1]).all()


def test_spread_frames_stay_inside_their_span() -> None:
    assert spread([0, 100], [10, 3], 5).tolist() == [[1, 3, 5, 7, 9], [100, 100, 101, 102, 102]]


def test_jitter_is_as_large_as_said_and_moves_parts_as_a_whole() -> None:
    points, rng = np.zeros((5, 68, 2), np.float32), np.random.default_rng(0)
    many = np.stack([jittered(points, 0.02, rng) for _ in range(400)])
    assert not jittered(points, 0.0, rng).any()
    assert many.std() == pytest.approx(0.02, rel=0.2)
    brow, other = many[..., 17:22, 1], many[..., 22:27, 1]
    together = np.corrcoef(brow[:, 1].mean(axis=-1), brow[:, 2].mean(axis=-1))[0, 1]
    assert 0.3 < together < 0.7, "part of an error lasts for the clip"
    assert brow.mean(axis=-1).std() > 2 * other.std() / 3, "points of a part err together"
    assert abs(np.corrcoef(brow[:, 1].mean(axis=-1), other[:, 1].mean(axis=-1))[0, 1]) < 0.2
