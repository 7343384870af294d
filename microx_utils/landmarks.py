"""68 landmarks per frame: the table that every tracker fills in, OpenFace 2.2's CSV, and the tracker's choice.

One row per video frame: `frame` (from 1), `face_id`, `timestamp` (s), `confidence` (0-1), `success` (0 or 1), then
the 68 iBUG points as `x_0..x_67, y_0..y_67` in px of the frame (paper, section III.B). OpenFace's other columns (gaze,
pose, 3-D points, action units) pass through. Two dialects exist: `a,b` and, from the Windows build, `a, b`.

A frame without a face keeps its row, with success 0: zeros if no face was seen yet, else the last points seen.
Dropping such rows would shift every later frame in time, so a table with gaps is refused.
"""

import importlib
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd

from microx_utils.support import paths
from microx_utils.support.cache import atomic_file, content_key, file_key
from microx_utils.support.errors import DataError
from microx_utils.video import FPS, iter_frames, video_key

POINTS = 68
HEAD_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success")
X_COLUMNS = tuple(f"x_{i}" for i in range(POINTS))
Y_COLUMNS = tuple(f"y_{i}" for i in range(POINTS))
REQUIRED_COLUMNS = HEAD_COLUMNS + X_COLUMNS + Y_COLUMNS
WHOLE_COLUMNS = ("frame", "face_id", "success")  # int64; the other required columns are float64

TRACKERS = {
    "mesh": "microx_utils.trackers.mesh",  # two small networks, offline; the default
    "openface": "microx_utils.trackers.openface",  # the paper's
    "dlib": "microx_utils.trackers.dlib",  # an optional extra
}
"""The programs that find landmarks, and the module of each, a `Tracker`; imported only when it is used."""

TRACKER_VARIABLE = "MICROX_LANDMARKS"
"""The environment variable that names the tracker, for the command line, notebooks and their kernels alike."""

_RERUN = "Run the landmark step on the clip again."
_RESAVED = "Give the file as OpenFace wrote it; a spreadsheet may have saved it in another form."
_NOT_OPENFACE = "Give OpenFace's FeatureExtraction output (flags -2Dfp -pose -aus -gaze), one CSV per clip."
_MISSING_FRAMES = 2  # a CSV may have this many rows fewer than its video has frames: decoders differ at the end


def read_openface_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return the table in an OpenFace CSV of either dialect, checked.

    Column names are stripped. `frame`, `face_id` and `success` are int64, the other required columns float64;
    extra columns keep the type that pandas gives them.

    Raises
    ------
    DataError
        Missing or empty file, not a CSV, a required column missing, a row cut short or not numeric, a value out
        of range, frame numbers that don't rise by one.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(path, "no such file, or not a file", "Check the path; OpenFace exits with 0 even if it fails.")
    with path.open("rb") as file:
        header = file.readline(100_000)
    if header.count(b";") > header.count(b","):
        raise DataError(path, "has semicolons between its values, not commas", _RESAVED)
    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except pd.errors.EmptyDataError:
        raise DataError(path, "is empty", _RERUN) from None
    except UnicodeDecodeError as error:
        raise DataError(path, "is not UTF-8 text", _RESAVED) from error
    except pd.errors.ParserError as error:
        raise DataError(path, f"can't be read as CSV ({str(error).strip()})", _RERUN) from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(path, "has rows with more values than the header has names", _RERUN)
    table.columns = table.columns.str.strip()
    return check_landmarks(table, path)


def read_finished_csv(path: str | os.PathLike[str], frames: int) -> pd.DataFrame:
    """Return the table in an OpenFace CSV that must cover a video of `frames` frames; up to two may be missing.

    Raises DataError for what `read_openface_csv` refuses, for a last row that is cut, and for missing rows.
    """
    table = read_openface_csv(path)
    content = Path(path).read_bytes()
    first, last = content[: content.find(b"\n")], content.rstrip(b"\r\n").rpartition(b"\n")[2]
    if not content.endswith(b"\n") or first.count(b",") != last.count(b","):
        raise DataError(path, f"is cut short in row {len(table)}", _RERUN)
    if len(table) < frames - _MISSING_FRAMES:
        raise DataError(path, f"has {len(table)} rows, and the video {frames} frames", _RERUN)
    return table


def write_openface_csv(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table in the plain dialect, required columns first; the file appears only when it is complete.

    Numbers are written in full, so `read_openface_csv` returns equal values. Raises DataError for a table
    that `read_openface_csv` would refuse.
    """
    table = check_landmarks(table, path)
    extra = [column for column in table.columns if column not in REQUIRED_COLUMNS]
    with atomic_file(path) as temporary:
        table[[*REQUIRED_COLUMNS, *extra]].to_csv(temporary, index=False, lineterminator="\n")


def check_landmarks(table: pd.DataFrame, path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return the table with the required dtypes, or raise DataError (which names `path`) for what is wrong."""
    missing = [column for column in REQUIRED_COLUMNS if column not in table.columns]
    if missing:
        names = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        raise DataError(path, f"lacks the column(s) {names} of OpenFace's CSV", _NOT_OPENFACE)
    if not len(table):
        raise DataError(path, "has a header and no rows", _RERUN)
    problem = _value_problem(table)
    if problem:
        raise DataError(path, problem, _RERUN)
    wanted = {column: "int64" if column in WHOLE_COLUMNS else "float64" for column in REQUIRED_COLUMNS}
    return table.astype({column: dtype for column, dtype in wanted.items() if table[column].dtype != dtype})


def _value_problem(table: pd.DataFrame) -> str:
    """Return what is wrong with the values of the required columns, or ""."""
    required = table[list(REQUIRED_COLUMNS)]
    try:
        numbers = required.to_numpy(np.float64)
    except ValueError:  # text in a column
        numbers = required.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(numbers)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        where, name = f"row {row + 1} of {len(table)}", REQUIRED_COLUMNS[column]
        if np.isinf(numbers[row, column]):
            return f"{where} is not finite in {name}"
        return f"{where} has no value for {name}: it is cut short, or not a number"
    frame, face, time, confidence, success = numbers[:, : len(HEAD_COLUMNS)].T
    if (np.diff(frame) != 1).any() or (frame % 1).any():
        if (face != face[0]).any():
            return "holds several faces (face_id), expected one: FeatureExtraction's output, not FaceLandmarkVidMulti's"
        return "has frame numbers that don't rise by one: rows are missing, doubled or out of order"
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
    """Return bool (T,): whether the face was found in each frame."""
    return table["success"].to_numpy() == 1


def action_units(table: pd.DataFrame) -> pd.DataFrame:
    """Return OpenFace's action-unit intensities (`AU01_r` ..., 0-5), a table without columns if there are none."""
    return table.filter(regex=r"^AU\d\d_r$")


class Tracker(Protocol):
    """What a module of `trackers/` offers: one program that finds landmarks in whole clips."""

    @staticmethod
    def version() -> list[Any]:
        """Return everything that decides its landmarks besides the video; part of cache keys."""

    @staticmethod
    def problem() -> str:
        """Return "" if the tracker can run on this machine, else what is missing."""

    @staticmethod
    def find_landmarks(
        path: str | os.PathLike[str], frames: Iterator[tuple[float, np.ndarray]], folder: Path
    ) -> pd.DataFrame:
        """Return a clip's landmarks at 30 fps; `frames` are its frames, `folder` is for temporary files."""

    @staticmethod
    def problems_ahead(
        clips: list[str], *, jobs: int | None = None, cache: str | os.PathLike[str] | None = None
    ) -> list[str]:
        """Do what is faster for many clips at once; return each clip's problem, "" for those without one so far."""


def chosen_tracker(name: str | None = None) -> str:
    """Return the name of the tracker to use: `name`, else the environment's choice, else "mesh".

    Raises ValueError, with the choices, for a name that is not in TRACKERS.
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
    """What is known about one frame: points float64 (68, 2) in px, success, confidence 0-1.

    Without success the confidence is 0 and the points are the last ones seen, or zeros before the first.
    """

    points: np.ndarray
    success: bool
    confidence: float


class FrameTracker(Protocol):
    """What `track_frames` needs: it is reset before a clip, then shown its frames in order, uint8 (H, W, 3) RGB."""

    def reset(self) -> None: ...

    def __call__(self, frame: np.ndarray, /) -> TrackedFace: ...


def track_frames(frames: Iterable[tuple[float, np.ndarray]], tracker: FrameTracker) -> pd.DataFrame:
    """Return landmarks for frames in order, in OpenFace's columns: always one row per frame.

    Parameters
    ----------
    frames
        Pairs `(time_s, frame)` as `video.iter_frames` yields them; frame is uint8 (H, W, 3), RGB.
    tracker
        For instance `trackers.mesh.MeshTracker()`; it is reset first.

    Returns
    -------
    DataFrame
        `frame` from 1, `face_id` 0, `timestamp` in s, `confidence` 0-1, `success` 0 or 1, `x_0` .. `y_67` in px,
        rounded to 0.01 px. Without a face success and confidence are 0, and the points are the last ones seen
        (zeros before the first), as in OpenFace.
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
    """Return all that decides a clip's landmarks besides its video; part of the key of whatever is made of them."""
    return {"tracker": name, "version": get_tracker(name).version(), "fps": FPS}


def kept_table(path: str | os.PathLike[str], tracker: str, cache: str | os.PathLike[str] | None = None) -> Path:
    """Return where a clip's landmarks by a tracker are kept, whether the file exists yet or not."""
    key = content_key(video=video_key(path), **tracker_key(tracker))
    return Path(paths.PROCESSED if cache is None else cache) / "landmarks" / tracker / f"{key}.csv"


def kept_keys(
    clips: Iterable[str | os.PathLike[str]], tracker: str, *, cache: str | os.PathLike[str] | None = None
) -> list[str]:
    """Return a hash of each clip's kept table by a tracker, "" where none is kept yet."""
    keys = []
    for path in clips:
        try:
            kept = kept_table(path, tracker, cache)
            keys.append(file_key(kept) if kept.is_file() else "")
        except DataError:  # the video itself can't be read
            keys.append("")
    return keys


def clip_landmarks(
    path: str | os.PathLike[str], *, tracker: str | None = None, cache: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Return a video's landmarks at 30 fps, computed once and kept as an OpenFace CSV.

    The file is `landmarks/<tracker>/<key>.csv`; the key is made of the video's bytes and the tracker's version, so a
    changed video is tracked again and a renamed one is not. The file appears only when it is complete; one that was
    damaged afterwards is made again, with a warning.

    Parameters
    ----------
    path
        The video.
    tracker
        One of TRACKERS; None is `chosen_tracker`'s choice.
    cache
        Folder to keep tables in, in place of data/processed.

    Returns
    -------
    DataFrame
        As `track_frames`; OpenFace adds its other columns (gaze, pose, 3-D points, action units).

    Raises
    ------
    DataError
        The video is missing, empty, cut short or damaged. (A video without a face is none of these: every row
        then has success 0.) Or the tracker isn't installed and no table is kept, or OpenFace fails for this video.
    ValueError
        Unknown tracker.
    """
    tracker = chosen_tracker(tracker)
    frames = iter_frames(path, fps=FPS)  # first, so that a file that can't be read is named by what is wrong with it
    kept = kept_table(path, tracker, cache)
    if kept.is_file():
        try:
            return read_openface_csv(kept)
        except DataError as error:  # the cache is damaged, not the clip
            warnings.warn(f"tracking {path} again: {error}", stacklevel=2)
    table = get_tracker(tracker).find_landmarks(path, frames, kept.parent)
    write_openface_csv(table, kept)
    return table
