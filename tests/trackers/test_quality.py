"""Landmark errors where the answer is known, trackers beside each other, and a report that no bad clip stops."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from microx_utils.corpora import load_clips
from microx_utils.faces import tracker_errors
from microx_utils.faces.sample import load_truth
from microx_utils.faces.tracker_errors import (
    REGIONS,
    action_unit_correlations,
    compare_trackers,
    landmark_errors,
    point_errors,
    region_means,
)
from microx_utils.faces.truth import GroundTruth
from microx_utils.landmarks import X_COLUMNS, Y_COLUMNS, read_openface_csv
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.trackers import openface, quality
from microx_utils.trackers.quality import clip_quality, installed_trackers, worst_clips
from microx_utils.video import write_video

HAPPY = paths.SAMPLE / "own" / "p01" / "happy_plain_1.mp4"


@pytest.fixture(scope="module")
def truth() -> GroundTruth:
    return load_truth(HAPPY)


def table_of(truth: GroundTruth, shift: np.ndarray | float = 0.0, *, lost: tuple[int, ...] = ()) -> pd.DataFrame:
    """The table of a perfect tracker whose points are all off by `shift`, and which loses some frames."""
    rows = truth.rows_at(np.arange(round(len(truth) / truth.fps * 30)) / 30)
    points = truth.landmarks[rows].astype(float) + shift
    success = np.ones(len(points), int)
    success[list(lost)] = 0
    head = pd.DataFrame(
        {
            "frame": np.arange(1, len(points) + 1),
            "face_id": 0,
            "timestamp": np.arange(len(points)) / 30,
            "confidence": 0.9 * success,
            "success": success,
        }
    )
    xy = pd.DataFrame(points.transpose(0, 2, 1).reshape(len(points), -1), columns=[*X_COLUMNS, *Y_COLUMNS])
    return pd.concat([head, xy], axis=1)


def eye_line(truth: GroundTruth) -> np.ndarray:
    """From the right eye's outer corner to the left one's, float64 (T, 2) px."""
    return (truth.landmarks[:, 45] - truth.landmarks[:, 36]).astype(float)


def as_rows(table: pd.DataFrame, key: str | list[str]) -> dict[Any, dict[Any, Any]]:
    return table.set_index(key).to_dict("index")


# ------------------------------------------------------------------------------------------------ errors


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


def test_shaking_is_the_points_motion_without_the_true_one(truth: GroundTruth) -> None:
    still = tracker_errors._shaking(table_of(truth, 3.0), truth)
    assert np.isnan(still[0])
    assert np.nanmax(still) < 1e-3
    zigzag = (np.arange(len(truth)) % 2)[:, None, None] * np.array([3.0, 4.0])
    shaking = tracker_errors._shaking(table_of(truth, zigzag, lost=(5,)), truth)
    assert np.flatnonzero(np.isnan(shaking)).tolist() == [0, 5, 6]
    assert np.nanmean(shaking) == pytest.approx(5, abs=1e-3)


# ------------------------------------------------------------------------------------------------ trackers


def few_clips() -> pd.DataFrame:
    own, _ = load_clips("sample", corpora=["own"])
    return own[own["path"].str.contains("p01/happy|p05/happy")].reset_index(drop=True)


def test_installed_trackers_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openface, "find_program", lambda: None)
    monkeypatch.setattr(quality, "problem", lambda: "no dlib")
    found = installed_trackers(cache=tmp_path)
    assert found["mesh"] == ""
    assert found["dlib"] == "no dlib"
    assert "no imported tables" in found["openface"]
    (tmp_path / "landmarks" / "openface").mkdir(parents=True)
    (tmp_path / "landmarks" / "openface" / "0.csv").touch()
    assert installed_trackers(cache=tmp_path)["openface"] == ""
    monkeypatch.setattr(openface, "find_program", lambda: object())
    assert installed_trackers(cache=tmp_path / "elsewhere")["openface"] == ""


def test_a_program_that_is_named_and_missing_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFACE_BIN", str(tmp_path / "nowhere"))
    assert "nowhere" in installed_trackers(cache=tmp_path)["openface"]


def test_openface_takes_many_clips_a_start_and_its_problems_reach_the_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def prepare(files: list[str], *, tracker: str, jobs: int | None, cache: Path) -> pd.DataFrame:
        asked.append((tracker, len(files)))
        return pd.DataFrame({"path": files, "problem": ["", "OpenFace crashed"]})

    monkeypatch.setattr(openface, "find_program", lambda: object())
    monkeypatch.setattr(prepare, "prepare_landmarks", prepare)
    monkeypatch.setattr(quality, "clip_landmarks", lambda path, **_: table_of(load_truth(path)))
    clips = few_clips()
    clips = clips[clips["condition"] == "plain"]
    report = clip_quality(clips, tracker="openface", jobs=1, cache=tmp_path)
    assert report["problem"].tolist() == ["", "OpenFace crashed"]
    assert report["width"].tolist() == [342, 342]
    table = compare_trackers(clips, ["openface"], truth_folder=paths.SAMPLE, jobs=1, cache=tmp_path)
    assert table["clips"].tolist() == [1]
    assert asked == [("openface", 2)] * 2


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

    monkeypatch.setattr(quality, "clip_landmarks", stub)
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

    monkeypatch.setattr(quality, "clip_landmarks", stub)
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

    monkeypatch.setattr(quality, "clip_landmarks", stub)
    monkeypatch.setattr(quality, "installed_trackers", lambda **_: {"mesh": "", "openface": ""})
    monkeypatch.setattr(openface, "find_program", lambda: None)
    for trackers in (["openface"], ["openface", "mesh"]):
        table = compare_trackers(few_clips(), trackers, truth_folder=paths.SAMPLE, jobs=1)
        assert list(table.columns) == ["tracker", "condition", "clips", "people", "found", *REGIONS, "jitter"]
        lacking = table[table["tracker"] == "openface"]
        assert lacking["clips"].tolist() == [0, 0]
        assert lacking["found"].isna().all()


def test_compare_trackers_refuses_what_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(quality, "problem", lambda: "dlib is missing")
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


# ------------------------------------------------------------------------------------------------ action units


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
    found = action_unit_correlations(table, made)
    assert len(found) == 17
    known = found[found["correlation"].notna()]
    assert known["action_unit"].tolist() == ["AU12"]
    assert known["correlation"].tolist() == pytest.approx([1])


def test_tables_without_action_units_give_no_rows(truth: GroundTruth) -> None:
    assert action_unit_correlations(table_of(truth), truth).empty
    assert action_unit_correlations([], []).empty
    with pytest.raises(ValueError, match="one of each a clip"):
        action_unit_correlations([table_of(truth)], [])


# ------------------------------------------------------------------------------------------------ the report


def as_clips(files: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"clip_id": list(files), "corpus": "test", "path": list(files.values())})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("quality")
    write_video(folder / "grey.mp4", np.full((12, 64, 96, 3), 120, np.uint8), fps=25)
    (folder / "broken.mp4").write_bytes(HAPPY.read_bytes()[:3000])
    (folder / "empty.mp4").touch()
    shutil.copy(HAPPY, folder / "good.mp4")
    names = ("good", "grey", "broken", "empty", "gone")
    files = {name: str(folder / f"{name}.mp4") for name in names}
    files["short"] = f"{folder / 'good.mp4'}#t=0.5,0.6"
    files["outside"] = f"{folder / 'good.mp4'}#t=50,60"
    files["backwards"] = f"{folder / 'good.mp4'}#t=2,1"
    return clip_quality(as_clips(files), tracker="mesh", jobs=1, cache=folder / "cache")


def test_the_report_has_a_row_a_clip_whatever_is_wrong(report: pd.DataFrame) -> None:
    rows = as_rows(report, "clip_id")
    assert list(rows) == ["good", "grey", "broken", "empty", "gone", "short", "outside", "backwards"]
    good = rows["good"]
    assert (good["stored_fps"], good["stored_frames"], good["width"], good["height"]) == (30, 50, 342, 192)
    assert good["frames"] == 50
    assert good["seconds"] == pytest.approx(50 / 30)
    assert good["found"] == 1
    assert good["confidence"] > 0.9
    assert good["eye_distance"] == pytest.approx(np.linalg.norm(eye_line(load_truth(HAPPY)), axis=1).mean(), rel=0.15)
    assert 0.05 < good["jitter"] < 1
    assert good["problem"] == rows["short"]["problem"] == ""
    assert rows["short"]["frames"] == 3
    assert (rows["grey"]["stored_fps"], rows["grey"]["stored_frames"]) == (25, 12)
    assert rows["grey"]["found"] == 0
    assert "no face" in rows["grey"]["problem"]
    for name, words in {"broken": "cut short", "empty": "empty", "gone": "no such file", "outside": "no frame"}.items():
        assert words in rows[name]["problem"]
        assert np.isnan(rows[name]["found"])
    assert rows["backwards"]["problem"]
    assert report["frames"].dtype == np.int64


def test_the_report_names_a_tracker_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(quality, "problem", lambda: "dlib is missing")
    with pytest.raises(DataError, match="dlib is missing"):
        clip_quality(as_clips({"good": str(HAPPY)}), tracker="dlib", cache=tmp_path)


def test_jitter_ignores_translation_and_repeated_pictures() -> None:
    rng = np.random.default_rng(0)
    face = rng.uniform(0, 100, (68, 2))
    seen = np.ones(60, bool)
    drifting = face + np.arange(60)[:, None, None] * np.array([2.0, 1.0])
    assert quality._restlessness(drifting, seen, 30.0) == pytest.approx(0, abs=1e-9)
    shaking = face + rng.normal(0, 1, (60, 68, 2))
    steady = quality._restlessness(shaking, seen, 30.0)
    assert steady > 1
    halved = np.repeat(shaking[:30], 2, axis=0)  # stored at 15 fps: every picture twice
    assert quality._restlessness(halved, seen, 15.0) == pytest.approx(steady, rel=0.3)
    assert np.isnan(quality._restlessness(shaking, np.arange(60) % 2 == 0, 30.0))


def quality_row(clip_id: str, **values: object) -> dict[str, object]:
    usual = {"found": 1.0, "confidence": 0.98, "jitter": 0.3, "frames": 50, "problem": ""}
    return {"clip_id": clip_id, "corpus": "test", **usual, **values}


def test_worst_clips_in_a_fixed_order_with_reasons() -> None:
    quality = pd.DataFrame(
        [
            quality_row("fine"),
            quality_row("calm", jitter=0.1),
            quality_row("still", jitter=np.nan),
            quality_row("short", frames=4),
            quality_row("shaky", jitter=5.0),
            quality_row("shakier", jitter=9.0),
            quality_row("unsure", confidence=0.5),
            quality_row("half", found=0.5),
            quality_row("quarter", found=0.25),
            quality_row("b lost", problem="no face found in any frame", found=0.0, confidence=np.nan, jitter=np.nan),
            quality_row("a gone", problem="no such file", found=np.nan, confidence=np.nan, jitter=np.nan, frames=0),
        ]
    )
    worst = worst_clips(quality, 99)
    order = ["a gone", "b lost", "quarter", "half", "unsure", "shakier", "shaky", "short", "fine", "calm", "still"]
    assert worst["clip_id"].tolist() == order
    assert worst["reason"].tolist()[:9] == [
        "no such file",
        "no face found in any frame",
        "face found in 25 % of the frames",
        "face found in 50 % of the frames",
        "median confidence 0.50",
        "jitter of 9.0 % of the eye distance a frame",
        "jitter of 5.0 % of the eye distance a frame",
        "very short: 4 frames",
        "nothing wrong; jitter of 0.30 % of the eye distance a frame",
    ]
    shuffled = quality.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(worst_clips(shuffled, 4), worst.head(4))
    assert worst_clips(quality, 0).empty
    assert "reason" in worst_clips(quality.head(0), 3).columns


def test_worst_clips_of_a_real_report(report: pd.DataFrame) -> None:
    worst = worst_clips(report, 7)
    assert worst["clip_id"].tolist()[-1] == "short"
    assert "good" not in worst["clip_id"].tolist()
    assert (worst["reason"] != "").all()


def test_points_of_the_helper_are_the_columns_of_openface(truth: GroundTruth) -> None:
    np.testing.assert_allclose(
        table_of(truth)[[*X_COLUMNS, *Y_COLUMNS]].iloc[0], np.concatenate(truth.landmarks[0].T), atol=1e-6
    )
