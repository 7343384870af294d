"""Which trackers can be used here, and a report on clips that no bad clip stops."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rendered_tables import HAPPY, as_rows, eye_line, few_clips, table_of

from microx_utils.faces import tracker_errors
from microx_utils.faces.sample import load_truth
from microx_utils.faces.tracker_errors import compare_trackers
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.trackers import dlib, openface, quality
from microx_utils.trackers.quality import clip_quality, installed_trackers, worst_clips
from microx_utils.video import write_video


def test_installed_trackers_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openface, "find_program", lambda: None)
    monkeypatch.setattr(dlib, "problem", lambda: "no dlib")
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

    def run_missing(files: list[str], jobs: int | None, cache: Path) -> dict[str, str]:
        asked.append(len(files))
        return dict(zip(files, ["", "OpenFace crashed"], strict=True))

    monkeypatch.setattr(openface, "find_program", lambda: object())
    monkeypatch.setattr(openface, "run_missing", run_missing)
    for module in (quality, tracker_errors):
        monkeypatch.setattr(module, "clip_landmarks", lambda path, **_: table_of(load_truth(path)))
    clips = few_clips()
    clips = clips[clips["condition"] == "plain"]
    report = clip_quality(clips, tracker="openface", jobs=1, cache=tmp_path)
    assert report["problem"].tolist() == ["", "OpenFace crashed"]
    assert report["width"].tolist() == [512, 512]
    table = compare_trackers(clips, ["openface"], truth_folder=paths.SAMPLE, jobs=1, cache=tmp_path)
    assert table["clips"].tolist() == [1]
    assert asked == [2, 2]


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
    assert (good["stored_fps"], good["stored_frames"], good["width"], good["height"]) == (30, 50, 512, 288)
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
    monkeypatch.setattr(dlib, "problem", lambda: "dlib is missing")
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
        "jitter of 9.0 % of the eye distance per frame",
        "jitter of 5.0 % of the eye distance per frame",
        "very short: 4 frames",
        "nothing wrong; jitter of 0.30 % of the eye distance per frame",
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
