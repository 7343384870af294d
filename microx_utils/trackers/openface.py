"""The paper's tracker: OpenFace 2.2 over many clips, where `openface_program.find_program` finds it.

`run_openface` makes CSVs of videos; `run_missing` keeps them as the clips' landmarks at 30 fps. Tables that were made
elsewhere come in through `prepare.import_openface`.
"""

import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from microx_utils.landmarks import (
    REQUIRED_COLUMNS,
    kept_table,
    read_finished_csv,
    read_openface_csv,
    success_array,
    write_openface_csv,
)
from microx_utils.support.errors import DataError, problem_of
from microx_utils.trackers.openface_program import HOW_TO_GET, Program, find_program, start
from microx_utils.video import FPS, iter_frames, probe_video, split_path, stored_frames, write_video

VERSION = 2
"""Raise the number when a change moves landmarks: cached tables of older versions are then not used."""


RUN_COLUMNS = ["path", "csv", "frames", "found", "problem"]

_BROKEN_AFTER = 3  # clips that fail alone, each with the exit code of a broken program
_TIMEOUT, _TIMEOUT_PER_FRAME = 60.0, 0.5  # s; OpenFace takes some seconds to start, and 0.03 s a frame
_CRF = 12  # of the video that is made of a part of another: finer than the eye sees


def run_openface(
    videos: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    program: Program | None = None,
    jobs: int | None = None,
    clips_per_start: int = 16,
    timeout_s: float | None = None,
    progress: bool = True,
    done: Callable[[str, Path], None] | None = None,
    worked_before: bool = False,
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
    worked_before
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
    whole = _Run(program, folder, _csv_names(names), timeout_s, done, worked_before)
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
        worked_before: bool,
    ) -> None:
        self.program, self.out, self.csv_names, self.timeout_s, self.done = program, out, csv_names, timeout_s, done
        self.stop = threading.Event()
        self.under_way: dict[int, int] = {}  # thread -> clips finished of its batch, for the bar
        self._wrote = worked_before  # whether any start has left a CSV
        self._failed_alone: set[str] = set()  # clips that failed alone as if the program were broken

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
        patience = self.timeout_s or max(_TIMEOUT + _TIMEOUT_PER_FRAME * clip.frames for clip in clips)
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
            self._failed_alone.add(clips[0].video)
            if not self._wrote and len(self._failed_alone) >= _BROKEN_AFTER:
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


def version() -> list[Any]:
    """See `landmarks.Tracker`."""
    return [VERSION]


def problem() -> str:
    """Return "" if OpenFace is found on this machine, else what is missing."""
    return "" if find_program() else "no OpenFace found here and no imported tables of its landmarks"


def problems_ahead(
    clips: list[str], *, jobs: int | None = None, cache: str | os.PathLike[str] | None = None
) -> list[str]:
    """See `landmarks.Tracker`: one start of OpenFace takes many clips, where OpenFace is found."""
    if find_program() is None:
        return [""] * len(clips)
    problems = run_missing(clips, jobs, cache)
    return [problems[clip] for clip in clips]


def find_landmarks(
    path: str | os.PathLike[str], frames: Iterator[tuple[float, np.ndarray]], folder: Path
) -> pd.DataFrame:
    """See `landmarks.Tracker`. Raises DataError if OpenFace isn't found, or fails for this video."""
    program = find_program()
    if program is None:
        raise DataError(path, "has no landmarks by OpenFace yet, and OpenFace isn't found on this machine", HOW_TO_GET)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".openface-", dir=folder, ignore_cleanup_errors=True) as out:
        row = run_openface([path], out, program=program, jobs=1, progress=False).iloc[0]
        if row["problem"]:
            raise DataError(path, row["problem"], "Look at the video, or leave the clip out.")
        return at_30_fps(read_openface_csv(row["csv"]), path)


def run_missing(names: list[str], jobs: int | None, cache: str | os.PathLike[str] | None) -> dict[str, str]:
    """Run OpenFace over the videos without a kept table; return each video's problem, "" if its table is kept now."""
    problems, places = {}, {}
    for name in names:
        try:
            iter_frames(name, fps=FPS)  # says what is wrong with a file that can't be read
            places[name] = kept_table(name, "openface", cache)
        except (DataError, ValueError) as error:
            problems[name] = problem_of(error)
    # a video that lies in two places is one to OpenFace
    todo = {place: name for name, place in places.items() if not place.is_file()}

    def keep(name: str, csv: Path) -> None:
        write_openface_csv(at_30_fps(read_openface_csv(csv), name), places[name])
        csv.unlink()

    if todo:
        folder = next(iter(todo)).parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".openface-", dir=folder, ignore_cleanup_errors=True) as out:
            worked_before = len(todo) < len(set(places.values()))
            rows = run_openface([*todo.values()], out, jobs=jobs, done=keep, worked_before=worked_before)
        failed = dict(zip(todo, rows["problem"], strict=True))
        problems |= {name: failed[place] for name, place in places.items() if place in failed}
    return {name: problems.get(name, "") for name in names}


def at_30_fps(table: pd.DataFrame, path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a table of `run_openface` (one row per stored frame) at 30 fps."""
    if split_path(path)[1] is not None:  # OpenFace was shown the part at 30 fps
        return rows_at_30_fps(table, np.arange(len(table)))
    return rows_at_30_fps(table, stored_frames(path, fps=FPS))


def rows_at_30_fps(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return the given rows of a table as the clip's rows at 30 fps; rows past its end repeat the last one.

    Columns are put into the order of a kept table, so that the result equals what will be read from the cache.
    """
    table = table[[*REQUIRED_COLUMNS, *(name for name in table.columns if name not in REQUIRED_COLUMNS)]]
    table = table.iloc[np.minimum(rows, len(table) - 1)].reset_index(drop=True)
    return table.assign(frame=np.arange(1, len(table) + 1), timestamp=(np.arange(len(table)) / FPS).round(6))
