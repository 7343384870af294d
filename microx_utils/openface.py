"""OpenFace 2.2's CSV, the one landmark format of the course, whatever finds the landmarks.

One row a video frame: `frame` (from 1), `face_id`, `timestamp` (s), `confidence` (0-1), `success` (0 or 1), then
the 68 iBUG points as `x_0..x_67, y_0..y_67` in px of the frame. OpenFace's other columns (gaze, pose, 3-D points,
action units) pass through. Two dialects are about: `a,b` and, from the Windows build, `a, b`.

A frame without a face keeps its row, with success 0: zeros if no face was seen yet, else the last points seen.
Dropping such rows would shift every later frame in time, so a table with gaps is refused.
"""

from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from microx_utils.cache import atomic_file
from microx_utils.errors import DataError

POINTS = 68
HEAD_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success")
X_COLUMNS = tuple(f"x_{i}" for i in range(POINTS))
Y_COLUMNS = tuple(f"y_{i}" for i in range(POINTS))
REQUIRED_COLUMNS = HEAD_COLUMNS + X_COLUMNS + Y_COLUMNS
POINT_COLUMNS = [*X_COLUMNS, *Y_COLUMNS]

_RERUN = "Run the landmark step on the clip again."
_NOT_OPENFACE = "Give OpenFace's FeatureExtraction output (flags -2Dfp -pose -aus -gaze), one CSV a clip."


def read_openface_csv(path: str | PathLike[str]) -> pd.DataFrame:
    """Return the table in an OpenFace CSV of either dialect, checked.

    Column names are stripped. `frame`, `face_id` and `success` are int64, the other required columns float64;
    extra columns keep what pandas makes of them.

    Raises
    ------
    DataError
        Missing or empty file, not a CSV, a required column missing, a row cut short or not numeric, a value out
        of range, frame numbers that don't rise by one.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(path, "no such file, or not a file", "Check the path; OpenFace exits with 0 even if it fails.")
    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except pd.errors.EmptyDataError:
        raise DataError(path, "is empty", _RERUN) from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(path, f"can't be read as CSV ({str(error).strip()})", _RERUN) from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(path, "has rows with more values than the header has names", _RERUN)
    table.columns = table.columns.str.strip()
    return check_openface(table, path)


def write_openface_csv(table: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write a table in the plain dialect, required columns first; the file appears only when it is whole.

    Numbers are written in full, so `read_openface_csv` gives back equal values. Raises DataError for a table
    that `read_openface_csv` would refuse.
    """
    table = check_openface(table, path)
    extra = [column for column in table.columns if column not in REQUIRED_COLUMNS]
    with atomic_file(path) as temporary:
        table[[*REQUIRED_COLUMNS, *extra]].to_csv(temporary, index=False, lineterminator="\n")


def check_openface(table: pd.DataFrame, path: str | PathLike[str]) -> pd.DataFrame:
    """Return the table with the required dtypes, or raise DataError (which names `path`) for what is wrong."""
    import pandera.errors  # here, not above: pandera takes a second or two to import, and many uses never get here

    missing = [column for column in REQUIRED_COLUMNS if column not in table.columns]
    if missing:
        names = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        raise DataError(path, f"lacks the column(s) {names} of OpenFace's CSV", _NOT_OPENFACE)
    if not len(table):
        raise DataError(path, "has a header and no rows", _RERUN)
    try:
        # the points in one go, not a schema column each: 136 of those would cost more than tracking the clip
        points = table[POINT_COLUMNS].to_numpy(float)
        if not np.isfinite(points).all():
            raise DataError(path, _explain(table), _RERUN)
        whole = table[POINT_COLUMNS].select_dtypes(exclude="float64").columns  # without decimals, as 0 or 12
        return _schema().validate(table.astype(dict.fromkeys(whole, float)) if len(whole) else table)
    except (ValueError, pandera.errors.SchemaError, pandera.errors.SchemaErrors) as error:
        raise DataError(path, _explain(table, error), _RERUN) from error


@cache
def _schema() -> Any:
    import pandera.pandas as pa

    by_one = pa.Check(lambda frame: frame.diff().iloc[1:].eq(1).all(), name="rises by one")
    finite = pa.Check(lambda column: np.isfinite(column).all(), name="finite")
    return pa.DataFrameSchema(
        {
            "frame": pa.Column(int, by_one),
            "face_id": pa.Column(int),
            "timestamp": pa.Column(float, [finite, pa.Check.ge(0)], coerce=True),
            "confidence": pa.Column(float, pa.Check.in_range(0, 1), coerce=True),
            "success": pa.Column(int, pa.Check.isin([0, 1])),
        }
    )


def _explain(table: pd.DataFrame, error: Any = None) -> str:
    """Say what the schema found, in the file's own terms."""
    required = table[list(REQUIRED_COLUMNS)]
    empty = required.apply(pd.to_numeric, errors="coerce").isna().to_numpy()
    if empty.any():
        row = int(empty.any(axis=1).argmax())
        column = REQUIRED_COLUMNS[int(empty[row].argmax())]
        return f"row {row + 1} of {len(table)} has no value for {column}: it is cut short, or not a number"
    infinite = np.isinf(table[POINT_COLUMNS].to_numpy(float))
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        return f"row {row + 1} of {len(table)} is not finite in {POINT_COLUMNS[column]}"
    column = error.schema.name
    if column == "frame":
        if table["face_id"].ne(table["face_id"].iloc[0]).any():
            return "holds several faces (face_id), expected one: FeatureExtraction's output, not FaceLandmarkVidMulti's"
        return "has frame numbers that don't rise by one: rows are missing, doubled or out of order"
    check = getattr(error, "check", error)
    values = ", ".join(map(repr, table[column].drop_duplicates().head(5)))
    return f"column {column} fails the check {check} (its values begin {values})"


def landmark_array(table: pd.DataFrame) -> np.ndarray:
    """Return the points as float32 (T, 68, 2): x to the right and y down, in px of the frame."""
    return np.stack([table[list(X_COLUMNS)].to_numpy(np.float32), table[list(Y_COLUMNS)].to_numpy(np.float32)], axis=-1)


def success_array(table: pd.DataFrame) -> np.ndarray:
    """Return bool (T,): whether the face was found in each frame."""
    return table["success"].to_numpy() == 1


def action_units(table: pd.DataFrame) -> pd.DataFrame:
    """Return OpenFace's action-unit intensities (`AU01_r` ..., 0-5), a table without columns if there are none."""
    return table.filter(regex=r"^AU\d\d_r$")
