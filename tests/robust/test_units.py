"""Action units beside crops: of rendered people from the truth, of others from OpenFace's tables or not at all."""

from pathlib import Path

import numpy as np
import pytest

from microx_utils.corpora import load_clips
from microx_utils.crops import CropStore, crop_store
from microx_utils.faces.sample import load_truth
from microx_utils.landmarks import clip_landmarks, landmark_array
from microx_utils.robust import units
from microx_utils.robust.inputs import clip_faces, store_faces
from microx_utils.robust.units import Units, store_units
from microx_utils.support import paths


@pytest.fixture(scope="module")
def store(processed: Path) -> CropStore:
    clips, _ = load_clips("sample", corpora=["own"])
    two = clips[clips["clip_id"].isin(["own/p01_anger_plain_1", "own/p01_happy_mask_1"])].reset_index(drop=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "PROCESSED", processed)
        return crop_store(two, size=8, max_frames=40, jobs=1)


def test_units_stand_beside_the_frames_that_show_them(store: CropStore) -> None:
    found = store_units(store, paths.DATA / "sample")
    assert found is not None and found.values.shape == (len(store.crops), len(found.names))
    ends = np.cumsum(store.clips["frames"])
    for path, values in zip(store.clips["path"], np.split(found.values, ends[:-1]), strict=True):
        truth = load_truth(path)  # 30 frames a second, so a row of the truth is a frame
        np.testing.assert_allclose(values, truth.action_units[: len(values)], atol=1e-6)


def test_a_tracker_without_units_gives_none_and_openface_its_own(
    store: CropStore, processed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "PROCESSED", processed)
    assert store_units(store) is None
    real = units.clip_landmarks
    monkeypatch.setattr(units, "clip_landmarks", lambda path: real(path).assign(AU04_r=2.5, AU12_r=0.0))
    found = store_units(store)
    assert found is not None and found.names == ("AU04", "AU12")
    assert (found.values == [0.5, 0.0]).all() and len(found.values) == len(store.crops)


def test_the_faces_of_a_store_are_those_of_its_clips(
    store: CropStore, processed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each clip's own neutral is its own; read from the cache, all is as it was."""
    monkeypatch.setattr(paths, "PROCESSED", processed)
    faces = store_faces(store)
    row = store.clips.iloc[1]
    rows = slice(row["first"], row["first"] + row["frames"])
    points = landmark_array(clip_landmarks(row["path"]))[: row["frames"]]
    alone = clip_faces(store.crops[rows], points, store.available[rows])
    np.testing.assert_array_equal(faces.points[rows], alone.points)
    assert (faces.rest[rows] >= row["first"]).all() and (faces.rest[rows] < row["first"] + row["frames"]).all()
    again = store_faces(store)
    np.testing.assert_array_equal(again.points, faces.points)
    np.testing.assert_array_equal(again.rest, faces.rest)


def test_each_value_counts_in_the_key_even_beside_unknown_ones() -> None:
    values = np.array([[0.1, np.nan], [0.2, 0.4]], np.float32)
    kept = Units(("AU04", "AU12"), values).key
    assert Units(("AU04", "AU12"), np.asfortranarray(values)).key == kept
    others = [values[::-1], values.reshape(1, 4)]  # the same values elsewhere
    for row, column in ((0, 0), (1, 1)):
        others.append(values.copy())
        others[-1][row, column] += 0.1
    assert len({kept, *(Units(("AU04", "AU12"), each).key for each in others)}) == 5
    assert Units(("AU04", "AU06"), values).key != kept
