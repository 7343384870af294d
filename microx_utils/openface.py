"""OpenFace 2.2's CSV, the one landmark format of the course, whatever finds the landmarks; and OpenFace over a corpus.

One row a video frame: `frame` (from 1), `face_id`, `timestamp` (s), `confidence` (0-1), `success` (0 or 1), then
the 68 iBUG points as `x_0..x_67, y_0..y_67` in px of the frame. OpenFace's other columns (gaze, pose, 3-D points,
action units) pass through. Two dialects are about: `a,b` and, from the Windows build, `a, b`.

A frame without a face keeps its row, with success 0: zeros if no face was seen yet, else the last points seen.
Dropping such rows would shift every later frame in time, so a table with gaps is refused.

`run` makes such CSVs of many videos with OpenFace itself, where `find_program` finds it.
"""

import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from microx_utils.cache import atomic_file
from microx_utils.errors import DataError, problem_of
from microx_utils.openface_program import HOW_TO_GET, Program, find_program, start
from microx_utils.video import iter_frames, probe_video, split_path, write_video

__all__ = [
    "HOW_TO_GET",
    "POINTS",
    "REQUIRED_COLUMNS",
    "X_COLUMNS",
    "Y_COLUMNS",
    "Program",
    "action_units",
    "check_openface",
    "find_program",
    "landmark_array",
    "read_finished_csv",
    "read_openface_csv",
    "run",
    "success_array",
    "write_openface_csv",
]

POINTS = 68
HEAD_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success")
X_COLUMNS = tuple(f"x_{i}" for i in range(POINTS))
Y_COLUMNS = tuple(f"y_{i}" for i in range(POINTS))
REQUIRED_COLUMNS = HEAD_COLUMNS + X_COLUMNS + Y_COLUMNS
POINT_COLUMNS = [*X_COLUMNS, *Y_COLUMNS]

_RERUN = "Run the landmark step on the clip again."
_MISSING_FRAMES = 2  # a CSV may lack so many of its video's: decoders differ in what they make of the last ones
_RESAVED = "Give the file as OpenFace wrote it; a spreadsheet may have saved it in another form."
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
    return check_openface(table, path)


def read_finished_csv(path: str | PathLike[str], frames: int) -> pd.DataFrame:
    """Return the table in an OpenFace CSV that has to cover a video of so many frames, to all but two of them.

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


# --- OpenFace over a corpus ---

RUN_COLUMNS = ["path", "csv", "frames", "found", "problem"]

_BARREN = 3  # clips that fail alone, each with the exit code of a broken program, until the program is taken for broken
_LEAST_PATIENCE, _PATIENCE_A_FRAME = 60.0, 0.5  # s; OpenFace takes some seconds to start, and 0.03 s a frame
_CRF = 12  # of the video that is made of a part of another: finer than the eye sees


def run(
    videos: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    program: Program | None = None,
    jobs: int | None = None,
    clips_per_start: int = 16,
    timeout_s: float | None = None,
    progress: bool = True,
    done: Callable[[str, Path], None] | None = None,
    proven: bool = False,
) -> pd.DataFrame:
    """Run OpenFace over videos, and return which of them have a whole CSV now.

    The exit code isn't asked: a CSV has to be there, to be readable and to cover the video. Clips without one, because
    their start crashed, hung or left them out, are tried once more, each alone: a bad clip costs its neighbours
    nothing. An interrupt ends the programs; CSVs that are whole by then are kept.

    Parameters
    ----------
    videos
        Paths, also of parts of videos (see `video.split_path`): OpenFace then sees the part's frames at 30 per second.
    out
        Folder for the CSVs, made if needed. A CSV has its video's stem, where two videos share that, folders before
        it: S001_avi_001.csv. It has a row for each frame as stored, and OpenFace's own columns.
    program
        How to start OpenFace; by default what `find_program` finds.
    jobs
        Programs at a time, of one thread each; None is one for each processor.
    clips_per_start
        Videos that one start gets: loading the models takes longer than a short clip.
    timeout_s
        Seconds that a start may take for one clip; by default a minute, and half a second for each frame.
    progress
        Show a bar.
    done
        Called as `done(video, csv)` as soon as a CSV is whole, in any thread. A DataError that it raises becomes the
        clip's problem.
    proven
        OpenFace has worked here before: if it now fails for every clip, that is the clips' problem.

    Returns
    -------
    DataFrame
        One row a video, in the order given: path, csv ("" without), frames (rows in the CSV), found (the share of them
        with a face), problem ("" or what was wrong, with the end of what OpenFace printed).

    Raises
    ------
    DataError
        OpenFace isn't here or can't be started; or it is broken (its models are missing, say): then it fails for
        three clips, one after the other, without ever writing a CSV.
    ValueError
        jobs or clips_per_start is below 1.
    """
    jobs = jobs if jobs is not None else os.cpu_count() or 1
    if jobs < 1 or clips_per_start < 1:
        raise ValueError(f"jobs and clips_per_start must be at least 1, got {jobs} and {clips_per_start}")
    names = list(dict.fromkeys(map(str, videos)))
    if not names:
        return pd.DataFrame(columns=RUN_COLUMNS)
    program = program or find_program()
    if program is None:
        raise DataError("OpenFace", "isn't found on this machine", HOW_TO_GET)
    folder = Path(out).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    whole = _Run(program, folder, _csv_names(names), timeout_s, done, proven)
    size = min(clips_per_start, -(-len(names) // jobs))
    batches = [names[first : first + size] for first in range(0, len(names), size)]
    rows: dict[str, dict[str, Any]] = {}
    with (
        tqdm(total=len(names), desc="OpenFace", unit="clip", disable=not progress) as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        pending = {pool.submit(whole.batch, batch) for batch in batches}
        try:
            while pending:  # in steps, so that an interrupt is heard everywhere
                finished, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    rows |= future.result()
                bar.update(max(0, len(rows) + sum(list(whole.under_way.values())) - bar.n))
        finally:  # after an exception: nothing new is begun, and the pool waits until the programs have ended
            whole.stop.set()
            pool.shutdown(cancel_futures=True)
    return pd.DataFrame([rows[str(video)] for video in videos], columns=RUN_COLUMNS)


@dataclass(frozen=True)
class _Clip:
    video: str  # as it was given
    file: Path  # what OpenFace gets
    frames: int


class _Run:
    """What the threads of one `run` share."""

    def __init__(
        self,
        program: Program,
        out: Path,
        csv_names: dict[str, str],
        timeout_s: float | None,
        done: Callable[[str, Path], None] | None,
        proven: bool,
    ) -> None:
        self.program, self.out, self.csv_names, self.timeout_s, self.done = program, out, csv_names, timeout_s, done
        self.stop = threading.Event()
        self.under_way: dict[int, int] = {}  # thread -> clips finished of its batch, for the bar
        self._wrote = proven  # whether any start has left a CSV
        self._barren: set[str] = set()  # clips that failed alone as if the program were broken

    def batch(self, videos: list[str]) -> dict[str, dict[str, Any]]:
        """Return the rows of some videos, by path; of those that are finished, when `stop` is set."""
        rows: dict[str, dict[str, Any]] = {}
        thread = threading.get_ident()
        self.under_way[thread] = 0
        with tempfile.TemporaryDirectory(prefix=".openface-", dir=self.out, ignore_cleanup_errors=True) as name:
            folder, clips = Path(name), []
            for number, video in enumerate(videos):
                if self.stop.is_set():
                    return rows
                try:
                    clips.append(_readable(video, folder / f"part{number}.mp4"))
                except (DataError, ValueError, OSError) as error:
                    rows[video] = _row(video, problem=problem_of(error))
            problems = self._start(clips, folder / "together", rows) if clips else {}
            left = [clip for clip in clips if clip.video in problems]
            for number, clip in enumerate(left if len(clips) > 1 else []):
                if self.stop.is_set():
                    return rows
                problems |= self._start([clip], folder / f"alone{number}", rows)
            for clip in left:
                rows.setdefault(clip.video, _row(clip.video, problem=problems[clip.video]))
        del self.under_way[thread]
        return rows

    def _start(self, clips: list[_Clip], folder: Path, rows: dict[str, dict[str, Any]]) -> dict[str, str]:
        """Start OpenFace once, add the rows of clips that have whole CSVs then, return the problems of the others."""
        settled, thread = len(rows), threading.get_ident()
        patience = self.timeout_s or max(_LEAST_PATIENCE + _PATIENCE_A_FRAME * clip.frames for clip in clips)
        ended = start(
            self.program,
            [clip.file for clip in clips],
            folder,
            patience=patience,
            stop=self.stop,
            begun=lambda count: self.under_way.update({thread: settled + count - 1}),
        )
        problems, wrote = {}, False
        for number, clip in enumerate(clips):
            csv = folder / "out" / f"{number:04d}.csv"
            if not csv.exists():
                problems[clip.video] = f"OpenFace left no CSV; it {ended}"
                continue
            wrote = True
            try:
                table = read_finished_csv(csv, clip.frames)
            except DataError as error:
                problems[clip.video] = f"OpenFace's CSV {error.problem}; it {ended}"
                continue
            final = self.out / f"{self.csv_names[clip.video]}.csv"
            csv.replace(final)
            try:
                if self.done is not None:
                    self.done(clip.video, final)
            except (DataError, ValueError) as error:
                rows[clip.video] = _row(clip.video, problem=problem_of(error))
                continue
            rows[clip.video] = _row(clip.video, str(final), len(table), float(success_array(table).mean()))
        self._wrote = self._wrote or wrote
        if len(clips) == 1 and ended.faulty and not wrote:
            self._barren.add(clips[0].video)
            if not self._wrote and len(self._barren) >= _BARREN:
                self.stop.set()  # before another thread begins anew
                remedy = "Start the program by hand: it has to load its models and to read a video."
                raise DataError(str(self.program), f"OpenFace fails for every clip: it {ended}", remedy)
        return problems


def _row(video: str, csv: str = "", frames: int = 0, found: float = 0.0, problem: str = "") -> dict[str, Any]:
    return {"path": video, "csv": csv, "frames": frames, "found": found, "problem": problem}


def _readable(video: str, part: Path) -> _Clip:
    """Return a clip that can be read, or raise; a part of a video is written to the file `part` first."""
    file, cut = split_path(video)
    if cut is None:
        return _Clip(video, file, probe_video(file).frames)
    count = 0

    def frames() -> Any:
        nonlocal count
        for _, frame in iter_frames(video):
            count += 1
            height, width = frame.shape[:2]
            yield frame[: height // 2 * 2, : width // 2 * 2]  # H.264 wants even sizes; points stay where they are

    write_video(part, frames(), crf=_CRF)
    return _Clip(video, part, count)


def _csv_names(videos: Sequence[str]) -> dict[str, str]:
    """Return each video's name for its CSV, without suffix: its stem, and the folders that tell it apart."""
    parts = {}
    for video in videos:
        match = re.search(r"#t=.*", video)
        file = Path(video[: match.start()] if match else video).absolute()
        part = re.sub(r"[^\w.]+", "_", match.group()) if match else ""
        parts[video] = [*file.parent.parts[1:], file.stem + part]
    names: dict[str, str] = {}
    for length in range(1, max(map(len, parts.values())) + 1):
        candidates = {video: "_".join(parts[video][-length:]) for video in videos if video not in names}
        uses = Counter(name.casefold() for name in [*candidates.values(), *names.values()])
        names |= {video: name for video, name in candidates.items() if uses[name.casefold()] == 1}
    rest = [video for video in videos if video not in names]  # one file named in two ways, or folders with "_"
    return names | {video: f"{'_'.join(parts[video])}_{number}" for number, video in enumerate(rest, start=1)}
