"""68 landmarks per frame: the table that every tracker returns, its CSV file, and the choice of the tracker.

The table is that of OpenFace 2.2, one row per video frame: `frame` (from 1), `face_id`, `timestamp` (s), `confidence`
(0-1), `success` (0 or 1), then the 68 iBUG points as `x_0..x_67, y_0..y_67` in px of the frame (paper, section III.B).
OpenFace's other columns (gaze, pose, 3-D points, action units) are kept.

A frame without a face has a row too, with success 0 and the last points seen (zeros before the first face). Without
these rows all later frames would be shifted in time, so a table with gaps is refused.
"""

import importlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd

from microx_utils.support import paths
from microx_utils.support.cache import atomic_file, content_key, file_key, lock, ready
from microx_utils.support.delimited import check_numbers, read_delimited
from microx_utils.support.errors import DataError
from microx_utils.video import FPS, iter_frames, video_key

POINTS = 68
HEAD_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success")
X_COLUMNS = tuple(f"x_{i}" for i in range(POINTS))
Y_COLUMNS = tuple(f"y_{i}" for i in range(POINTS))
REQUIRED_COLUMNS = HEAD_COLUMNS + X_COLUMNS + Y_COLUMNS
DTYPES = {name: "int64" if name in ("frame", "face_id", "success") else "float64" for name in REQUIRED_COLUMNS}

TRACKERS = {
    "mesh": "microx_utils.trackers.mesh",  # two small networks, offline; the default
    "openface": "microx_utils.trackers.openface",  # the paper's
    "dlib": "microx_utils.trackers.dlib",  # an optional extra
}
"""Name of each tracker -> its module, a `Tracker`, which is imported when it is first used."""

TRACKER_VARIABLE = "MICROX_LANDMARKS"
"""The environment variable that names the tracker, for the command line, notebooks and their kernels."""

_RERUN = "Run the landmark step on the clip again."
_NOT_OPENFACE = "Use the output of OpenFace's FeatureExtraction (-2Dfp -pose -aus -gaze -au_static), one CSV per clip."


def read_openface_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return the checked table of an OpenFace CSV, in any form that `support.delimited.read_delimited` reads.

    `frame`, `face_id` and `success` are int64, the other required columns float64; extra columns are numbers, too.
    OpenFace 1 has no `face_id`: it is 0. The case of a header that says `FRAME` is ignored.

    Raises
    ------
    DataError
        The file is missing, empty or no such table, lacks a required column, has a row that is cut short or not
        numeric, a value out of range, or frame numbers that don't increase by one.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(path, "no such file, or not a file", "Check the path; OpenFace exits with 0 even if it fails.")
    table = read_delimited(path)
    if "frame" not in table.columns:  # else case has a meaning: x_0 is a point in the frame, X_0 one in space
        table.columns = table.columns.str.lower()
    columns = [*table.columns, ""]
    if "face_id" not in columns and "frame" in columns and columns[columns.index("frame") + 1] == "timestamp":
        table = table.assign(face_id=0)  # OpenFace 1, which follows one face; a misspelt face_id would hide several
    return check_numbers(check_landmarks(table, path), path)


def write_openface_csv(table: pd.DataFrame, path: str | os.PathLike[str], *, checked: bool = False) -> None:
    """Write a table, required columns first, in full precision; the file appears only when it is complete.

    `checked` is that of `cache.atomic_file`. Raises DataError for a table that `read_openface_csv` would refuse.
    """
    table = check_landmarks(table, path)
    extra = [column for column in table.columns if column not in REQUIRED_COLUMNS]
    with atomic_file(path, checked=checked) as temporary:
        table[[*REQUIRED_COLUMNS, *extra]].to_csv(temporary, index=False, lineterminator="\n")


def check_landmarks(table: pd.DataFrame, path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return the table with the required dtypes, or raise DataError, which names `path` and what is wrong."""
    if missing := [column for column in REQUIRED_COLUMNS if column not in table.columns]:
        names = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        raise DataError(path, f"lacks the column(s) {names} of OpenFace's CSV", _NOT_OPENFACE)
    if len(repeated := table.columns[table.columns.duplicated()]):
        raise DataError(path, f"has the column {repeated[0]} more than once", _NOT_OPENFACE)
    if not len(table):
        raise DataError(path, "has a header and no rows", _RERUN)
    if problem := _value_problem(table):
        raise DataError(path, problem, _RERUN)
    wrong = {name: DTYPES[str(name)] for name, found in table.dtypes.items() if found != DTYPES.get(str(name), found)}
    return table.astype(wrong) if wrong else table  # `astype` of all columns would take longer than reading the file


def _value_problem(table: pd.DataFrame) -> str:
    """Return what is wrong with the values of the required columns, or ""."""
    required = table[list(REQUIRED_COLUMNS)]
    texts = required.select_dtypes(exclude="number").astype(str)  # words, hundreds of digits, or 1_000 for Python
    numbers = required.assign(**texts.apply(pd.to_numeric, errors="coerce")).to_numpy(np.float64)
    bad = ~np.isfinite(numbers)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        where, name = f"row {row + 1} of {len(table)}", REQUIRED_COLUMNS[column]
        if np.isinf(numbers[row, column]):
            return f"{where} is not finite in {name}"
        return f"{where} has no value for {name}: it is cut short, or not a number"
    frame, face, time, confidence, success = numbers[:, : len(HEAD_COLUMNS)].T
    if (face != face[0]).any():
        return "has several faces (face_id): use FeatureExtraction, not FaceLandmarkVidMulti"
    if (np.diff(frame) != 1).any() or (frame % 1).any():
        return "has frame numbers that don't rise by one: rows are missing, repeated or out of order"
    for name, values, good, rule in (
        ("face_id", face, face % 1 == 0, "whole numbers"),
        ("timestamp", time, time >= 0, "0 or more"),
        ("confidence", confidence, (confidence >= 0) & (confidence <= 1), "from 0 to 1"),
        ("success", success, np.isin(success, (0, 1)), "0 or 1"),
    ):
        if not good.all():
            return f"column {name} holds {values[~good][0]:g} in row {int(np.argmin(good)) + 1}, expected {rule}"
    return ""


def landmark_array(table: pd.DataFrame) -> np.ndarray:
    """Return the points as float32 (T, 68, 2): x to the right and y down, in px of the frame."""
    return np.stack([table[list(X_COLUMNS)].to_numpy(np.float32), table[list(Y_COLUMNS)].to_numpy(np.float32)], axis=-1)


def success_array(table: pd.DataFrame) -> np.ndarray:
    """Return bool (T,): whether a face was found in each frame."""
    return table["success"].to_numpy() == 1


def action_units(table: pd.DataFrame) -> pd.DataFrame:
    """Return OpenFace's action-unit intensities (`AU01_r` ..., 0-5); the other trackers' tables have none."""
    return table.filter(regex=r"^AU\d\d_r$")


class Tracker(Protocol):
    """The functions of a tracker's module in `trackers/`; `get_tracker` returns the module itself."""

    @staticmethod
    def version() -> list[Any]:
        """Return everything besides the video that decides the landmarks; part of cache keys."""

    @staticmethod
    def problem() -> str:
        """Return "" if the tracker can run on this machine, else what is missing."""

    @staticmethod
    def find_landmarks(
        path: str | os.PathLike[str], frames: Iterator[tuple[float, np.ndarray]], folder: Path
    ) -> pd.DataFrame:
        """Return the landmarks of one clip at 30 fps, as `track_frames`.

        `frames` are the clip's frames as `video.iter_frames` yields them; `folder` is a place for temporary files.
        """

    @staticmethod
    def problems_ahead(
        clips: list[str], *, jobs: int | None = None, cache: str | os.PathLike[str] | None = None
    ) -> list[str]:
        """Do for many clips at once what would be slow clip by clip, and return each clip's problem so far, or ""."""


def chosen_tracker(name: str | None = None) -> str:
    """Return the name of the tracker to use: `name`, else that of MICROX_LANDMARKS, else "mesh".

    Raises ValueError for a name that is not in TRACKERS.
    """
    where = "" if name else f"{TRACKER_VARIABLE}: "
    name = name or os.environ.get(TRACKER_VARIABLE) or "mesh"
    if name not in TRACKERS:
        raise ValueError(f"{where}unknown tracker {name!r}; choose from {list(TRACKERS)}")
    return name


def get_tracker(name: str | None = None) -> Tracker:
    """Return a tracker by name, as `chosen_tracker` chooses it."""
    return cast(Tracker, importlib.import_module(TRACKERS[chosen_tracker(name)]))


@dataclass(frozen=True)
class TrackedFace:
    """The landmarks of one frame: points float64 (68, 2) in px, success, confidence 0-1.

    Without success the confidence is 0 and the points are the last ones seen (zeros before the first face).
    """

    points: np.ndarray
    success: bool
    confidence: float


class FrameTracker(Protocol):
    """A tracker that is reset before a clip and then called with its frames in order, uint8 (H, W, 3) RGB."""

    def reset(self) -> None: ...

    def __call__(self, frame: np.ndarray, /) -> TrackedFace: ...


def track_frames(frames: Iterable[tuple[float, np.ndarray]], tracker: FrameTracker) -> pd.DataFrame:
    """Return the landmarks of a clip's frames, always one row per frame.

    Parameters
    ----------
    frames
        Pairs `(time_s, frame)` as `video.iter_frames` yields them; frame is uint8 (H, W, 3), RGB.
    tracker
        For example `trackers.mesh.MeshTracker()`.

    Returns
    -------
    DataFrame
        REQUIRED_COLUMNS; the points are rounded to 0.01 px.
    """
    tracker.reset()
    head, points = [], []
    for number, (time, frame) in enumerate(frames, start=1):
        face = tracker(frame)
        head.append((number, 0, round(time, 6), round(face.confidence, 3), int(face.success)))
        points.append(face.points.T.ravel().round(2))  # x_0 .. x_67, y_0 .. y_67
    table = pd.DataFrame(head, columns=list(HEAD_COLUMNS))
    xy = pd.DataFrame(np.reshape(points, (-1, 2 * POINTS)), columns=[*X_COLUMNS, *Y_COLUMNS])
    return pd.concat([table, xy], axis=1)


def tracker_key(name: str) -> dict[str, Any]:
    """Return everything besides the video that decides its landmarks, for cache keys of what is made from them."""
    return {"tracker": name, "version": get_tracker(name).version(), "fps": FPS}


def kept_table(path: str | os.PathLike[str], tracker: str, cache: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of a clip's cached landmarks, whether the file exists or not."""
    key = content_key(video=video_key(path), **tracker_key(tracker))
    return Path(paths.PROCESSED if cache is None else cache) / "landmarks" / tracker / f"{key}.csv"


def kept_keys(
    clips: Iterable[str | os.PathLike[str]], tracker: str, *, cache: str | os.PathLike[str] | None = None
) -> list[str]:
    """Return a hash of each clip's cached landmarks, "" for a clip that has none yet or can't be read."""
    keys = []
    for path in clips:
        try:
            kept = kept_table(path, tracker, cache)
            keys.append(file_key(kept) if ready(kept) else "")
        except DataError:
            keys.append("")
    return keys


def clip_landmarks(
    path: str | os.PathLike[str], *, tracker: str | None = None, cache: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Return a video's landmarks at 30 fps; they are computed once and cached as an OpenFace CSV.

    The file is `landmarks/<tracker>/<key>.csv`. The key depends on the video's bytes and the tracker's version, so a
    changed video is tracked again and a renamed one is not. A damaged file is replaced, with a warning.

    Parameters
    ----------
    path
        The video.
    tracker
        One of TRACKERS; None is the choice of `chosen_tracker`.
    cache
        Folder of the cache, data/processed by default.

    Returns
    -------
    DataFrame
        REQUIRED_COLUMNS, one row per frame, and OpenFace's other columns. In a video without a face every row has
        success 0.

    Raises
    ------
    DataError
        The video is missing, empty, cut short or damaged; the tracker isn't installed and the landmarks aren't cached;
        or OpenFace fails for this video.
    ValueError
        Unknown tracker.
    """
    tracker = chosen_tracker(tracker)
    frames = iter_frames(path, fps=FPS)  # first, so that the error for an unreadable file is that of the video
    kept = kept_table(path, tracker, cache)
    if not ready(kept):
        with lock(kept):  # a second process waits here and then finds the table
            if not ready(kept):
                write_openface_csv(get_tracker(tracker).find_landmarks(path, frames, kept.parent), kept, checked=True)
    return read_openface_csv(kept)
