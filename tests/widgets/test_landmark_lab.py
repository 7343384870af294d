"""The landmark lab: what is measured on a take, and what its controls show."""

import html
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rendered_tables import HAPPY, few_clips, table_of
from seen import alt, pixels

from microx_utils.faces.sample import load_truth
from microx_utils.support import paths
from microx_utils.trackers.quality import INSTALL
from microx_utils.video import read_frames
from microx_utils.widgets.films import Track, load_track, track_of
from microx_utils.widgets.landmark_lab import (
    Take,
    compare,
    cover,
    draw_frame,
    errors_of,
    face_window,
    landmark_lab,
    load_take,
    lost_frames,
    missing_trackers,
    movement,
)
from microx_utils.widgets.live import Live
from microx_utils.widgets.shown import Content


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "PROCESSED", tmp_path_factory.mktemp("lab"))
        load_track.cache_clear()
        load_take.cache_clear()
        yield


@pytest.fixture(scope="module")
def take() -> Take:
    """A rendered take with two trackers that are off by known amounts; "dlib" loses frames 3 and 4."""
    frames, times = read_frames(HAPPY)
    truth = load_truth(HAPPY, folder=paths.SAMPLE)
    points = truth.landmarks[truth.rows_at(times)]
    tracks = {"mesh": track_of(table_of(truth, 3.0)), "dlib": track_of(table_of(truth, lost=(3, 4)))}
    eyes = float(np.median(np.linalg.norm(points[:, 45] - points[:, 36], axis=1)))
    return Take(frames, tracks, points, np.zeros(len(frames), bool), eyes, face_window(points, frames.shape[1:]))


@pytest.fixture
def live() -> Live:
    return landmark_lab(few_clips().head(4), truth_folder=paths.SAMPLE)


def test_a_tracker_without_landmarks_of_a_clip_is_said_to_lack_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenFace's tables may have been imported for another corpus, where OpenFace itself is not installed."""
    monkeypatch.delenv("OPENFACE_BIN", raising=False)
    monkeypatch.setenv("PATH", "")
    load_take.cache_clear()
    found = load_take(str(HAPPY), ("mesh", "openface"), str(paths.SAMPLE), False)
    assert list(found.tracks) == ["mesh"]
    assert "no landmarks by OpenFace" in str(compare(found, 0, "mouth", 0.5).loc["openface", "this frame"])


def rows(table: Content) -> dict[Any, dict[Any, Any]]:
    assert isinstance(table, pd.DataFrame)
    return dict(table.to_dict("index"))


def test_a_frame_is_lost_by_the_tracker_or_by_the_threshold() -> None:
    track = Track(
        np.zeros((4, 68, 2)), np.array([True, True, False, True]), np.array([0.9, 0.4, 0.0, 0.6]), np.arange(4.0)
    )
    assert lost_frames(track, 0.0).tolist() == [False, False, True, False]
    assert lost_frames(track, 0.6).tolist() == [False, True, True, False]


def test_movement_is_measured_between_frames_with_a_face() -> None:
    points = np.zeros((5, 68, 2))
    points[2:, 36:42, 0] = 4  # the right eye jumps once
    lost = np.array([False, False, False, False, True])
    assert movement(points, lost, "right eye", 50.0) == pytest.approx([np.nan, 0, 8, 0, np.nan], nan_ok=True)
    assert movement(points, lost, "mouth", 50.0)[2] == 0
    assert movement(points, lost, "all points", 50.0)[2] == pytest.approx(8 * 6 / 68)
    lost[1] = True
    assert np.isnan(movement(points, lost, "right eye", 50.0)[:3]).all()


def test_errors_are_distances_from_the_truth() -> None:
    truth = np.zeros((2, 68, 2))
    points = truth + np.array([3, 4])
    assert errors_of(points, truth, np.array([False, True]), "nose", 50.0) == pytest.approx([10, np.nan], nan_ok=True)


def test_the_table_compares_trackers_with_the_truth(take: Take) -> None:
    found = rows(compare(take, 3, "all points", 0.5))
    assert list(found) == ["mesh", "dlib", "truth"]
    off = 3 * np.sqrt(2) / take.eyes * 100
    assert float(found["mesh"]["mean error, %"]) == pytest.approx(off, abs=0.01)
    assert float(found["dlib"]["mean error, %"]) == 0
    assert found["mesh"]["this frame"] == "confidence 0.90" and found["dlib"]["this frame"] == "lost"
    count = len(take.frames)
    assert [row["frames lost"] for row in found.values()] == [f"0 of {count}", f"2 of {count}", ""]
    assert found["mesh"]["mean movement, %"] == found["truth"]["mean movement, %"], "a steady shift does not move"
    assert rows(compare(take, 3, "all points", 0.95))["mesh"]["frames lost"] == f"{count} of {count}"


def test_points_are_drawn_only_where_the_face_is_not_lost(take: Take) -> None:
    bare = draw_frame(take, 3, [], 0.5)
    assert (draw_frame(take, 3, ["mesh"], 0.5) != bare).any() and (draw_frame(take, 3, ["truth"], 0.5) != bare).any()
    assert (draw_frame(take, 3, ["dlib"], 0.5) == bare).all()
    assert (draw_frame(take, 5, ["dlib"], 0.5) != draw_frame(take, 5, [], 0.5)).any()


def test_the_window_holds_the_face_and_stays_in_the_picture(take: Take) -> None:
    left, top, side = take.window
    assert take.truth is not None
    assert (take.truth >= [left, top]).all() and (take.truth <= [left + side, top + side]).all()
    assert left >= 0 and top >= 0 and top + side <= take.frames.shape[1] and left + side <= take.frames.shape[2]
    assert face_window(np.zeros((3, 68, 2)), (40, 60, 3)) == (0, 0, 40)


def test_a_board_hides_the_face_in_the_middle_third_only(take: Take) -> None:
    assert take.truth is not None
    before = take.frames.copy()
    covered, hidden = cover(take.frames, take.truth)
    assert (take.frames == before).all(), "the clip itself, which is kept, has no board"
    third = len(take.frames) // 3
    assert np.flatnonzero(hidden).tolist() == list(range(third, 2 * len(take.frames) // 3))
    assert (covered[~hidden] == take.frames[~hidden]).all()
    for frame, points in zip(covered[hidden], take.truth[hidden], strict=True):
        x, y = points.astype(int).T
        assert (frame[y, x] == (70, 84, 70)).all()


def test_a_hidden_face_is_lost_and_found_again(live: Live) -> None:
    live.controls["board"].value = True
    assert live.problem.value == ""
    row = rows(live.shown["table"])["mesh"]
    hidden, of = map(int, row["hidden and lost"].split(" of "))
    assert hidden == of > 10
    assert int(row["in view, but lost"].split(" of ")[0]) <= 1


def test_a_mask_is_one_choice_away_and_the_points_of_the_mouth_go_wrong(live: Live) -> None:
    live.controls["part"].value = "mouth"
    assert live.values["condition"] == "plain" and live.controls["condition"].options == ("plain", "mask")
    bare = rows(live.shown["table"])["mesh"]["mean error, %"]
    live.controls["condition"].value = "mask"
    assert live.problem.value == ""
    assert float(rows(live.shown["table"])["mesh"]["mean error, %"]) > 1.5 * float(bare)
    assert "mask" in alt(live.shown["picture"])


def test_boxes_decide_whose_points_are_drawn(live: Live) -> None:
    both = pixels(live.shown["picture"])
    assert "dots: points of mesh" in alt(live.shown["picture"]) and "rings" in alt(live.shown["picture"])
    live.controls["truth"].value = False
    assert "rings" not in alt(live.shown["picture"]) and (pixels(live.shown["picture"]) != both).any()


def test_the_threshold_is_in_the_chart(live: Live) -> None:
    live.controls["threshold"].value = 0.75
    assert "threshold 0.75" in str(live.shown["confidence"])


def test_real_people_have_no_truth() -> None:
    live = landmark_lab(few_clips().head(2))
    assert "truth" not in live.controls and "truth" not in str(live.shown["movement"])
    assert "mean error, %" not in rows(live.shown["table"])["mesh"]


def test_missing_trackers_are_named_with_what_to_do() -> None:
    said = missing_trackers({"mesh": "", "dlib": "is not <here>", "openface": ""})
    assert "dlib: is not &lt;here&gt;" in said and html.escape(INSTALL["dlib"]) in said
    assert "mesh" not in said and "openface" not in said
    assert missing_trackers({"mesh": ""}) == ""
