"""Landmark errors where the answer is known, and trackers compared by them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rendered_tables import HAPPY, as_rows, eye_line, few_clips, table_of

from microx_utils.components import LANDMARK_GROUPS
from microx_utils.faces import tracker_errors
from microx_utils.faces.sample import load_truth
from microx_utils.faces.tracker_errors import (
    REGIONS,
    action_unit_correlations,
    compare_trackers,
    error_summary,
    landmark_errors,
    point_errors,
    region_means,
)
from microx_utils.faces.truth import GroundTruth
from microx_utils.landmarks import X_COLUMNS, Y_COLUMNS, read_openface_csv
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.trackers import dlib, openface, quality


@pytest.fixture(scope="module")
def truth() -> GroundTruth:
    return load_truth(HAPPY)


def test_points_of_the_helper_are_the_columns_of_openface(truth: GroundTruth) -> None:
    np.testing.assert_allclose(
        table_of(truth)[[*X_COLUMNS, *Y_COLUMNS]].iloc[0], np.concatenate(truth.landmarks[0].T), atol=1e-6
    )


def test_a_perfect_tracker_has_no_error(truth: GroundTruth) -> None:
    errors = landmark_errors(table_of(truth), truth)
    assert list(errors.columns) == list(REGIONS)
    assert len(errors) == len(truth)
    assert errors.to_numpy().max() < 1e-3


def test_errors_are_in_percent_of_the_eye_distance_and_turn_with_the_face(truth: GroundTruth) -> None:
    across = eye_line(truth)
    down = np.stack([-across[:, 1], across[:, 0]], axis=1)
    table = table_of(truth, (0.03 * across + 0.04 * down)[:, None])
    np.testing.assert_allclose(point_errors(table, truth), 3 + 4j, atol=1e-3)
    np.testing.assert_allclose(landmark_errors(table, truth), 5, atol=1e-3)


def test_only_the_regions_that_are_off_have_errors_and_lost_frames_are_left_out(truth: GroundTruth) -> None:
    off = np.zeros((68, 2))
    off[48:68] = 5  # the mouth
    errors = landmark_errors(table_of(truth, off, lost=(0, 7)), truth)
    assert errors.index.tolist() == [row for row in range(len(truth)) if row not in (0, 7)]
    assert (errors["mouth"] > 5).all()
    assert errors.drop(columns="mouth").to_numpy().max() < 1e-3


def test_region_means_of_constant_and_varying_parts() -> None:
    """Complex errors that point both ways cancel in the mean: what is left is a region's constant shift."""
    errors = np.full((4, 68), 2 + 0j)
    errors[::2] *= -1
    assert region_means(errors).to_numpy() == pytest.approx(2)
    assert region_means(errors.mean(axis=0)[None]).to_numpy() == pytest.approx(0)


def test_a_shift_is_a_constant_error_and_a_shake_a_varying_one() -> None:
    errors = np.zeros((30, 68), complex)
    people = ["a"] * 20 + ["b"] * 10  # both count the same, however many frames show them
    errors[:20, LANDMARK_GROUPS["nose"]] = 3 + 4j  # a: shifted by 5
    errors[20::2, LANDMARK_GROUPS["mouth"]] = 2  # b: shakes by 2 about its middle
    errors[21::2, LANDMARK_GROUPS["mouth"]] = -2
    found = error_summary(errors, people, samples=200)
    assert found.index[-1] == "nose"
    assert found.loc["nose"].to_dict() == {"mean": 2.5, "low": 0, "high": 5, "constant": 2.5, "varying": 0}
    assert found.loc["mouth"].to_dict() == {"mean": 1, "low": 0, "high": 2, "constant": 0, "varying": 1}
    assert not found.drop(index=["nose", "mouth"]).to_numpy().any()


def test_shaking_is_the_points_motion_without_the_true_one(truth: GroundTruth) -> None:
    still = tracker_errors._shaking(table_of(truth, 3.0), truth)
    assert np.isnan(still[0])
    assert np.nanmax(still) < 1e-3
    zigzag = (np.arange(len(truth)) % 2)[:, None, None] * np.array([3.0, 4.0])
    shaking = tracker_errors._shaking(table_of(truth, zigzag, lost=(5,)), truth)
    assert np.flatnonzero(np.isnan(shaking)).tolist() == [0, 5, 6]
    assert np.nanmean(shaking) == pytest.approx(5, abs=1e-3)


def test_compare_trackers_of_known_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """One tracker is 2 % off everywhere, the other loses half of the masked frames and lacks one clip."""

    def stub(path: str, *, tracker: str, cache: object) -> pd.DataFrame:
        truth = load_truth(path)
        if tracker == "mesh":
            return table_of(truth, 0.02 * eye_line(truth)[:, None])
        if "p05/happy_plain" in path:
            raise DataError(path, "no table", "Import one.")
        rows = np.arange(len(truth))
        shift = np.where(rows < len(rows) // 2, 0.06, 0.01)[:, None, None] * eye_line(truth)[:, None]
        return table_of(truth, shift, lost=tuple(rows[: len(rows) // 2]) if "mask" in path else ())

    monkeypatch.setattr(tracker_errors, "clip_landmarks", stub)
    monkeypatch.setattr(quality, "installed_trackers", lambda **_: {"mesh": "", "openface": ""})
    monkeypatch.setattr(openface, "find_program", lambda: None)
    table = compare_trackers(few_clips(), ["openface", "mesh"], truth_folder=paths.SAMPLE, jobs=1)
    assert list(table.columns) == ["tracker", "condition", "clips", "people", "found", *REGIONS, "jitter"]
    assert table["tracker"].tolist() == ["openface", "openface", "mesh", "mesh"]  # as asked for
    rows = as_rows(table, ["tracker", "condition"])
    assert rows["openface", "plain"]["clips"] == 1
    assert rows["mesh", "plain"]["clips"] == 2
    for name in REGIONS:
        assert rows["mesh", "plain"][name] == pytest.approx(2, abs=0.01)
        assert rows["mesh", "mask"][name] == pytest.approx(2, abs=0.01)
        assert rows["openface", "mask"][name] == pytest.approx(1, abs=0.01)
        assert rows["openface", "plain"][name] == pytest.approx(3.5, abs=0.1)
    assert rows["mesh", "mask"]["found"] == rows["openface", "plain"]["found"] == 1
    assert rows["openface", "mask"]["found"] == pytest.approx(0.5, abs=0.02)


def test_common_frames_judge_a_tracker_where_the_other_finds_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    def stub(path: str, *, tracker: str, cache: object) -> pd.DataFrame:
        truth = load_truth(path)
        rows = np.arange(len(truth))
        if tracker == "openface":
            return table_of(truth, lost=tuple(rows[::2]))
        return table_of(truth, np.where(rows % 2, 0.0, 0.1)[:, None, None] * eye_line(truth)[:, None])

    monkeypatch.setattr(tracker_errors, "clip_landmarks", stub)
    monkeypatch.setattr(quality, "installed_trackers", lambda **_: {"mesh": "", "openface": ""})
    monkeypatch.setattr(openface, "find_program", lambda: None)
    clips = few_clips().head(1)
    own, common = (
        compare_trackers(clips, ["mesh", "openface"], truth_folder=paths.SAMPLE, common=which, jobs=1)
        for which in (False, True)
    )
    assert own["nose"][0] == pytest.approx(5, abs=0.2)
    assert common["nose"][0] == pytest.approx(0, abs=0.01)
    assert own["found"].tolist() == common["found"].tolist() == pytest.approx([1, 0.5], abs=0.02)


def test_a_tracker_without_any_table_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def stub(path: str, *, tracker: str, cache: object) -> pd.DataFrame:
        if tracker == "openface":
            raise DataError(path, "no table", "Import one.")
        return table_of(load_truth(path))

    monkeypatch.setattr(tracker_errors, "clip_landmarks", stub)
    monkeypatch.setattr(quality, "installed_trackers", lambda **_: {"mesh": "", "openface": ""})
    monkeypatch.setattr(openface, "find_program", lambda: None)
    for trackers in (["openface"], ["openface", "mesh"]):
        table = compare_trackers(few_clips(), trackers, truth_folder=paths.SAMPLE, jobs=1)
        assert list(table.columns) == ["tracker", "condition", "clips", "people", "found", *REGIONS, "jitter"]
        lacking = table[table["tracker"] == "openface"]
        assert lacking["clips"].tolist() == [0, 0]
        assert lacking["found"].isna().all()


def test_compare_trackers_refuses_what_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dlib, "problem", lambda: "dlib is missing")
    with pytest.raises(DataError, match="dlib is missing"):
        compare_trackers(few_clips(), ["dlib"], truth_folder=paths.SAMPLE, cache=tmp_path)
    with pytest.raises(ValueError, match="unknown tracker"):
        compare_trackers(few_clips(), ["eyes"], truth_folder=paths.SAMPLE, cache=tmp_path)


def test_compare_trackers_on_rendered_clips(tmp_path: Path) -> None:
    clips = few_clips()
    clips = clips[clips["path"].str.contains("p01")]
    table = compare_trackers(clips, ["mesh"], truth_folder=paths.SAMPLE, jobs=1, cache=tmp_path)
    assert len(list((tmp_path / "landmarks" / "mesh").glob("*.csv"))) == 2  # cached
    rows = as_rows(table, "condition")
    assert (table["found"] == 1).all()
    assert rows["plain"]["nose"] < 6
    assert rows["mask"]["mouth"] > 2 * rows["plain"]["mouth"]  # guessed under the mask
    assert table["jitter"].between(0.05, 2).all()


WORDS = ("happy", "anger", "contempt")


def test_action_units_are_compared_within_people(rng: np.random.Generator) -> None:
    """Another resting level of another person must not lower the correlation, as pooling all frames would."""
    paths_of = [paths.SAMPLE / "own" / person / f"{word}_plain_1.mp4" for person in ("p01", "p02") for word in WORDS]
    truths = [load_truth(path) for path in paths_of]
    tables = []
    for truth, path in zip(truths, paths_of, strict=True):
        table = table_of(truth, lost=(3,))
        true = dict(zip(truth.names, truth.action_units[truth.rows_at(table["timestamp"])].T, strict=True))
        both_sides = true["AU12"] + (true["AU12L"] + true["AU12R"]) / 2
        table["AU12_r"] = 5 * both_sides + (4 if "p02" in str(path) else 0)
        table["AU04_r"] = 5 * true["AU04"] + rng.normal(0, 0.5, len(table))
        table["AU45_r"] = 5 * truth.blink[truth.rows_at(table["timestamp"])]
        table["AU06_r"] = 0.0
        table["AU12_c"] = 1
        table.loc[3, "AU12_r"] = 99.0  # no face there: must not count
        tables.append(table)
    found = action_unit_correlations(tables, truths, people=[path.parent.name for path in paths_of])
    assert list(found.columns) == ["action_unit", "correlation", "n", "people"]
    assert found["action_unit"].tolist() == ["AU04", "AU06", "AU12", "AU45"]
    rows = as_rows(found, "action_unit")
    assert rows["AU12"]["correlation"] == pytest.approx(1, abs=1e-6)
    assert rows["AU12"]["people"] == 2
    assert rows["AU12"]["n"] == sum(len(table) - 1 for table in tables)
    assert 0.5 < rows["AU04"]["correlation"] < 1
    assert np.isnan(rows["AU06"]["correlation"])
    assert rows["AU06"]["n"] == rows["AU06"]["people"] == 0


def test_action_units_of_a_real_openface_table(openface_data: Path, truth: GroundTruth) -> None:
    """No truth is shipped for these clips: the estimate's own AU12, as truth, correlates with itself alone."""
    table = read_openface_csv(openface_data / "happy.csv")
    units = np.zeros((len(table), len(truth.names)), np.float32)
    units[:, truth.names.index("AU12")] = table["AU12_r"] / 5
    made = GroundTruth(
        landmarks=np.zeros((len(table), 68, 2), np.float32),
        action_units=units,
        pose=np.zeros((len(table), 3)),
        gaze=np.zeros((len(table), 2)),
        blink=np.zeros(len(table), np.float32),
        performance="happy",
        talking=False,
        onset=0,
        apex=0,
        offset=0,
        fps=30.0,
    )
    found = action_unit_correlations([table], [made])
    assert len(found) == 17
    known = found[found["correlation"].notna()]
    assert known["action_unit"].tolist() == ["AU12"]
    assert known["correlation"].tolist() == pytest.approx([1])


def test_tables_without_action_units_give_no_rows(truth: GroundTruth) -> None:
    assert action_unit_correlations([table_of(truth)], [truth]).empty
    assert action_unit_correlations([], []).empty
    with pytest.raises(ValueError, match="one of each per clip"):
        action_unit_correlations([table_of(truth)], [])
