"""The face renderer: geometry, light on the right side, and nothing but the face telling the emotion."""

import dataclasses
from pathlib import Path

import numba
import numpy as np
import pytest

from microx_utils.faces import SCENES, render_clip, render_still
from microx_utils.faces.action_units import ACTION_UNITS, INDEX, PROTOTYPES, TRUTH_NAMES, shape_weights, split_sides
from microx_utils.faces.compiled import compiled
from microx_utils.faces.head import deform, head_model, rotation
from microx_utils.faces.raster import rasterize, vertex_normals
from microx_utils.faces.render import Stage, still_drawer
from microx_utils.faces.timecourse import onset_apex_offset, perform
from microx_utils.labels import EMOTIONS
from microx_utils.support import paths

SMALL = (228, 128)
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)


def eye_openness(points: np.ndarray) -> np.ndarray:
    """Return lid distance over eye width of the person's left and right eye."""
    ratios = []
    for eye in (points[LEFT_EYE], points[RIGHT_EYE]):
        height = np.linalg.norm(eye[1] - eye[5]) + np.linalg.norm(eye[2] - eye[4])
        ratios.append(height / 2 / np.linalg.norm(eye[0] - eye[3]))
    return np.array(ratios)


def slow_rasterizer(xy, depth, triangles, cull, height: int, width: int):
    """Return triangle numbers and depths per pixel, straight from the definition."""
    which, nearest = np.full((height, width), -1), np.full((height, width), np.inf)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    for t, corners in enumerate(triangles):
        matrix = np.vstack([xy[corners].T, np.ones(3)])
        if abs(np.linalg.det(matrix)) < 1e-12 or (cull[t] and np.linalg.det(matrix) >= 0):
            continue
        weights = np.linalg.solve(matrix, np.stack([x.ravel(), y.ravel(), np.ones(x.size)]))
        z = depth[corners] @ weights
        closer = ((weights >= 0).all(0) & (z < nearest.ravel())).reshape(height, width)
        which[closer], nearest[closer] = t, z.reshape(height, width)[closer]
    return which, nearest


def test_rasterizer_agrees_with_the_definition(rng: np.random.Generator) -> None:
    height, width, count = 40, 60, 30
    xy = rng.uniform(-15, 70, (3 * count, 2))  # some lie outside the frame
    depth = rng.uniform(1, 9, 3 * count)
    triangles = rng.permutation(3 * count).reshape(count, 3).astype(np.int32)
    cull = (rng.random(count) < 0.5).astype(np.uint8)
    which = np.full((height, width), -1, np.int32)
    z_buffer = np.full((height, width), 1e9, np.float32)
    weights = np.zeros((height, width, 2), np.float32)
    rasterize(xy, depth, triangles, cull, which, weights, z_buffer)
    expected, nearest = slow_rasterizer(xy, depth, triangles, cull, height, width)
    np.testing.assert_array_equal(which, expected)
    drawn = which >= 0
    assert 0.3 < drawn.mean() < 1
    np.testing.assert_allclose(z_buffer[drawn], nearest[drawn], rtol=1e-6)
    second = np.stack([1 - weights.sum(2), weights[..., 0], weights[..., 1]], 2)[drawn]
    rows, columns = np.nonzero(drawn)
    back = (xy[triangles[which[drawn]]] * second[..., None]).sum(1)
    np.testing.assert_allclose(back, np.stack([columns, rows], 1) + 0.5, atol=1e-4)


def test_normals_of_the_face_point_at_the_camera() -> None:
    model = head_model()
    normals = vertex_normals(model.vertices, model.triangles[model.visible])
    assert normals[model.front_vertex(0, 7.1), 2] > 0.8  # the nose
    np.testing.assert_allclose(np.linalg.norm(normals[model.skin], axis=1), 1)


def test_rotation_signs_are_the_documented_ones() -> None:
    nose, crown = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
    assert (rotation(0.3, 0) @ nose)[0] > 0.2  # yaw: to the person's left, +x
    assert (rotation(0, 0.3) @ nose)[1] > 0.2  # pitch: up
    assert (rotation(0, 0, 0.3) @ crown)[0] < -0.2  # roll: crown to the person's right


def test_zero_weights_leave_the_face_at_rest() -> None:
    model = head_model()
    eyes = np.array([model.vertices[k].mean(0) for k in model.eyes])
    still = deform(model.vertices, np.zeros(len(model.shape_names)), np.zeros(2), eyes)
    np.testing.assert_allclose(still, model.vertices, atol=1e-12)


def test_halves_of_the_inner_brow_add_up() -> None:
    model = head_model()
    halves = model.shapes[model.shape_index["browInnerUpLeft"]] + model.shapes[model.shape_index["browInnerUpRight"]]
    np.testing.assert_allclose(halves, model.shapes[model.shape_index["browInnerUp"]], atol=1e-6)


def test_wink_of_the_left_eye_closes_points_42_to_47_on_the_image_s_right() -> None:
    """AU46 on the person's left. OpenFace numbers that eye 42-47; whoever looks at the frame sees it on the right."""
    awake, winking = still_drawer(3, {}, size=SMALL), still_drawer(3, {"46L": 1}, size=SMALL)
    before, after = eye_openness(awake.landmarks(0)), eye_openness(winking.landmarks(0))
    assert after[0] < 0.25 * before[0]
    assert after[1] == pytest.approx(before[1], rel=1e-6)
    points = awake.landmarks(0)
    assert points[LEFT_EYE, 0].mean() > points[RIGHT_EYE, 0].mean()
    changed = np.abs(awake.draw(0).astype(int) - winking.draw(0)).max(2) > 40
    columns = np.nonzero(changed)[1]
    assert len(columns) > 10
    assert abs(columns.mean() - points[LEFT_EYE, 0].mean()) < 3


@pytest.mark.parametrize(("unit", "point", "other"), [("12L", 54, 48), ("12R", 48, 54), ("2L", 24, 19), ("2R", 19, 24)])
def test_one_sided_units_move_their_own_side(unit: str, point: int, other: int) -> None:
    moved = still_drawer(5, {unit: 1}).landmarks(0) - still_drawer(5, {}).landmarks(0)
    assert moved[point, 1] < -1  # up
    assert np.abs(moved[other]).max() < 0.35 * np.abs(moved[point]).max()


def test_units_can_be_named_in_every_way() -> None:
    expected = split_sides({12: 0.5})
    for name in ("12", "AU12", "au12"):
        for a, b in zip(split_sides({name: 0.5}), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    left, right, closed = split_sides({"AU06L": 0.5, "45": 0.3})
    assert left[INDEX[6]] == 0.5 and right[INDEX[6]] == 0
    np.testing.assert_array_equal(closed, [0.3, 0.3])


@pytest.mark.parametrize("units", [{3: 0.5}, {"12X": 0.5}, {"smile": 1}, {12: -0.1}, {12: 2.0}])
def test_unknown_units_and_wild_intensities_are_refused(units: dict) -> None:
    with pytest.raises(ValueError, match="action unit"):
        split_sides(units)


def test_every_unit_moves_the_face() -> None:
    model = head_model()
    for unit in ACTION_UNITS:
        left, right, closed = split_sides({unit: 1})
        weights = shape_weights(left[None], right[None], closed[None], np.zeros(1), model.shape_names)
        assert np.abs(weights).max() > 0.25, unit


@pytest.mark.parametrize("scene", SCENES)
def test_no_ghost_trails(scene: str) -> None:
    """Regression: a frame must not show what earlier frames painted over the background."""
    stage, alone = (
        Stage(26, "happy", 3, frames=12, fps=30.0, size=SMALL, scene=scene) for _ in range(2)
    )  # 26 has long hair, which is blended over what is there
    for each in (stage, alone):
        each.drawer.scene.grain = 0.0
        each.performance.pose[:, 0] = np.linspace(-0.5, 0.5, 12)
    canvas = stage.drawer.scene.canvas.copy()
    for frame in range(11):
        stage.draw(frame)
    np.testing.assert_array_equal(stage.draw(11), alone.draw(11))
    np.testing.assert_array_equal(stage.drawer.scene.canvas, canvas)


def test_same_seeds_same_pixels() -> None:
    first, truth = render_clip(4, "fear", 7, frames=3, size=SMALL)
    second, again = render_clip(4, "fear", 7, frames=3, size=SMALL)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(truth.landmarks, again.landmarks)
    other, _ = render_clip(4, "fear", 8, frames=3, size=SMALL)
    assert np.abs(first.astype(int) - other).mean() > 3


@pytest.mark.parametrize("scene", SCENES)
def test_light_and_background_know_nothing_of_the_emotion(scene: str) -> None:
    glad, sad = (Stage(2, emotion, 1, frames=2, fps=30.0, size=SMALL, scene=scene) for emotion in ("happy", "sad"))
    a, b = glad.drawer.scene, sad.drawer.scene
    np.testing.assert_array_equal(a.light.table, b.light.table)
    np.testing.assert_array_equal(a.canvas, b.canvas)
    np.testing.assert_array_equal(a.drift, b.drift)
    assert (a.focal, a.light.exposure, a.light.pupil) == (b.focal, b.light.exposure, b.light.pupil)
    np.testing.assert_array_equal(glad.draw(0)[:20, :20], sad.draw(0)[:20, :20])


def test_masks_change_only_the_lower_face() -> None:
    plain, truth = render_clip(71, "surprise", 2, frames=2, size=SMALL, scene="outdoor")
    masked, same = render_clip(71, "surprise", 2, frames=2, size=SMALL, scene="outdoor", mask=True)
    np.testing.assert_array_equal(truth.landmarks, same.landmarks)
    changed = (np.abs(plain.astype(int) - masked).max(3) > 12)[1]
    points = np.round(truth.landmarks[1]).astype(int)
    upper = changed[points[17:27, 1].min() : points[36:48, 1].max(), points[36, 0] : points[45, 0]]
    lower = changed[points[33, 1] : points[57, 1], points[48, 0] : points[54, 0]]
    assert upper.mean() < 0.01
    assert lower.mean() > 0.9


@pytest.mark.parametrize(("scene", "emotion"), [("studio", "contempt"), ("varied", "disgust"), ("outdoor", "neutral")])
def test_clip_and_truth_fit(scene: str, emotion: str) -> None:
    frames, truth = render_clip(9, emotion, 5, frames=4, scene=scene)
    assert frames.shape == (4, 192, 342, 3) and frames.dtype == np.uint8
    assert truth.landmarks.shape == (4, 68, 2)
    assert truth.action_units.shape == (4, len(TRUTH_NAMES)) == (4, len(truth.names))
    assert truth.pose.shape == (4, 3) and truth.gaze.shape == (4, 2) and truth.blink.shape == (4,)
    assert ((truth.landmarks > 0) & (truth.landmarks < [341, 191])).all()
    assert truth.emotion in EMOTIONS and truth.performance == emotion
    apart = np.linalg.norm(truth.landmarks[:, RIGHT_EYE].mean(1) - truth.landmarks[:, LEFT_EYE].mean(1), axis=1)
    assert apart.min() > 33  # an eye crop, 0.84 of it, is about 30 px


def test_landmarks_lie_on_what_is_drawn() -> None:
    """The pupil is darker than its surroundings exactly where the eye's points say the eye is."""
    drawer = still_drawer(7, {5: 0.8}, size=(684, 384))
    drawer.scene.grain = 0.0
    grey, points = drawer.draw(0).mean(2), drawer.landmarks(0)
    for eye in (points[RIGHT_EYE], points[LEFT_EYE]):
        x, y = np.round(eye.mean(0)).astype(int)
        assert grey[y - 2 : y + 3, x - 2 : x + 3].mean() < 0.5 * grey[y + 24 : y + 30, x - 6 : x + 7].mean()


def test_courses_start_peak_and_end_in_order() -> None:
    for performance in PROTOTYPES:
        motion = perform(1, performance, 0, frames=40)
        onset, apex, offset = onset_apex_offset(motion.envelope)
        assert motion.action_units.min() >= 0
        if performance == "neutral":
            assert (onset, apex, offset) == (-1, -1, -1)
        else:
            assert 0 <= onset <= apex <= offset < 40
            assert motion.envelope[apex] == pytest.approx(motion.envelope.max(), rel=0.01)


def test_happiness_raises_lip_corners_and_surprise_the_brows() -> None:
    smile, gasp = INDEX[12], INDEX[2]
    strength = {
        emotion: np.mean([perform(person, emotion, 0).action_units.max(0) for person in range(20)], axis=0)
        for emotion in ("neutral", "happy", "surprise")
    }
    assert strength["happy"][smile] > 3 * strength["neutral"][smile]
    assert strength["surprise"][gasp] > 3 * strength["neutral"][gasp]


def test_stills_take_any_size_and_refuse_unknown_scenes() -> None:
    assert render_still(3, {1: 0.5}, size=(96, 128), zoom=1.5).shape == (128, 96, 3)
    with pytest.raises(ValueError, match="scene"):
        render_still(3, {}, scene="moon")
    with pytest.raises(ValueError, match="performance"):
        render_clip(3, "hungry", 0)
    with pytest.raises(ValueError, match="frames"):
        render_clip(3, "happy", 0, frames=0)


def test_scarves_and_glasses_and_bald_heads_are_drawn() -> None:
    """People who take the rarer branches of the code."""
    from microx_utils.faces.person import load_person

    styles = {seed: load_person(seed).identity for seed in (4, 0, 71, 26)}
    assert styles[4].hair_style == "scarf" and styles[71].hair_style == "bald"
    assert styles[26].hair_style == "long" and dataclasses.asdict(styles[0])["glasses"] is not None
    for seed in styles:
        image = render_still(seed, {}, size=(96, 96))
        assert image.std() > 20


def doubled(value: float) -> float:
    return 2 * value


def test_the_renderer_needs_no_writable_package_or_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # as if no other folder could be written to
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    assert compiled()(doubled)(1.5) == 3.0
    assert list((tmp_path / "numba").rglob("*doubled*.nbc"))
