"""OpenFace's CSV in both dialects; what may be wrong with one is in faults.toml."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from microx_utils import landmarks
from microx_utils.landmarks import (
    REQUIRED_COLUMNS,
    X_COLUMNS,
    Y_COLUMNS,
    action_units,
    landmark_array,
    read_openface_csv,
    success_array,
    write_openface_csv,
)
from microx_utils.support.errors import DataError


def make_table(points: np.ndarray, success: list[int]) -> pd.DataFrame:
    """points float (T, 68, 2)"""
    count = len(points)
    head = pd.DataFrame(
        {
            "frame": np.arange(1, count + 1),
            "face_id": 0,
            "timestamp": np.arange(count) / 30,
            "confidence": np.array(success) * 0.98,
            "success": success,
        }
    )
    xy = pd.DataFrame(np.concatenate([points[..., 0], points[..., 1]], axis=1), columns=[*X_COLUMNS, *Y_COLUMNS])
    return pd.concat([head, xy], axis=1)


def test_both_dialects_hold_the_same(openface_data: Path) -> None:
    plain = read_openface_csv(openface_data / "happy.csv").head(20)
    spaced = read_openface_csv(openface_data / "happy_spaced_dialect_head.csv")
    pd.testing.assert_frame_equal(plain, spaced)
    assert plain["x_36"].dtype == np.float64
    assert spaced["success"].dtype == np.int64


def test_points_and_action_units(openface_data: Path) -> None:
    table = read_openface_csv(openface_data / "happy.csv")
    points = landmark_array(table)
    assert points.shape == (60, 68, 2)
    assert points.dtype == np.float32
    assert points[0, 36].tolist() == pytest.approx([table["x_36"][0], table["y_36"][0]])
    units = action_units(table)
    assert len(units.columns) == 17
    assert units["AU12_r"].iloc[-10:].mean() > units["AU12_r"].iloc[:10].mean() + 0.5  # lip corners go up


def test_frames_without_a_face_keep_their_rows(openface_data: Path) -> None:
    table = read_openface_csv(openface_data / "no_face.csv")
    assert len(table) == 20
    assert not success_array(table).any()
    assert not landmark_array(table).any()
    assert action_units(table).shape == (20, 0)


@settings(max_examples=15)
@given(
    points=hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.just(68), st.just(2)), elements=st.floats(-1e4, 1e4)),
    data=st.data(),
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, points: np.ndarray, data) -> None:
    success = data.draw(st.lists(st.sampled_from([0, 1]), min_size=len(points), max_size=len(points)))
    table = make_table(points, success)
    path = tmp_path_factory.mktemp("csv") / "clip.csv"
    write_openface_csv(table, path)
    pd.testing.assert_frame_equal(read_openface_csv(path), table, check_exact=True)


def test_extra_columns_pass_through(openface_data: Path, tmp_path: Path) -> None:
    table = read_openface_csv(openface_data / "happy.csv")
    write_openface_csv(table, tmp_path / "copy.csv")
    again = read_openface_csv(tmp_path / "copy.csv")
    assert again.columns[: len(REQUIRED_COLUMNS)].tolist() == list(REQUIRED_COLUMNS)
    pd.testing.assert_frame_equal(again[table.columns], table, check_exact=True)


def test_what_windows_prints_for_nan_is_a_number(openface_data: Path, tmp_path: Path) -> None:
    table = read_openface_csv(openface_data / "happy.csv").astype({"AU01_r": object})
    table.loc[[0, 3], "AU01_r"] = ["-nan(ind)", "nan(ind)"]
    table.to_csv(tmp_path / "windows.csv", index=False)
    units = action_units(read_openface_csv(tmp_path / "windows.csv"))["AU01_r"]
    assert units.dtype == np.float64
    assert units.index[units.isna()].tolist() == [0, 3]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_openface_csv(tmp_path / "none.csv")


@settings(max_examples=15)
@given(cut=st.integers(1, 11_000))
def test_a_cut_file_is_never_read_as_longer_than_it_is(
    openface_data: Path, tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """However a CSV is cut, it is refused, or only whole rows were lost (which no reader can see)."""
    content = (openface_data / "no_face.csv").read_bytes()[:-cut]
    path = tmp_path_factory.mktemp("csv") / "cut.csv"
    path.write_bytes(content)
    try:
        table = read_openface_csv(path)
    except DataError:
        return
    assert len(table) == content.decode().rstrip("\n").count("\n")
    assert not table[list(REQUIRED_COLUMNS)].isna().any(axis=None)


def test_writing_refuses_a_bad_table_and_leaves_nothing(tmp_path: Path) -> None:
    table = make_table(np.zeros((3, 68, 2)), [0, 0, 0]).drop(index=1)
    with pytest.raises(DataError, match="rise by one"):
        write_openface_csv(table, tmp_path / "clip.csv")
    assert list(tmp_path.iterdir()) == []


def test_two_notebooks_at_once_track_a_clip_once(
    openface_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = read_openface_csv(openface_data / "happy.csv")
    calls = []

    def find_landmarks(path: Path, *_: object) -> pd.DataFrame:
        calls.append(path)
        time.sleep(0.3)  # the other one comes meanwhile
        return table

    tracker = SimpleNamespace(version=lambda: 1, find_landmarks=find_landmarks)
    monkeypatch.setattr(landmarks, "get_tracker", lambda _: tracker)
    with ThreadPoolExecutor(2) as threads:
        clips = [openface_data / "happy.mp4"] * 2
        first, second = threads.map(lambda clip: landmarks.clip_landmarks(clip, tracker="mesh", cache=tmp_path), clips)
    assert len(calls) == 1
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(first, table, check_like=True)
