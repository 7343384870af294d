"""The paper's tracker: OpenFace 2.2 over many clips, started as `openface_program.find_program` says.

`run_openface` makes tables of videos; `run_missing` keeps them as the clips' landmarks at 30 fps. Tables that were made
elsewhere come in through `prepare.import_openface`.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from microx_utils.landmarks import REQUIRED_COLUMNS, kept_table, read_openface_csv, write_openface_csv
from microx_utils.support.cache import claimed, lock, ready
from microx_utils.support.delimited import read_text
from microx_utils.support.errors import DataError, problem_of
from microx_utils.trackers.openface_program import FLAGS, HOW_TO_GET, Program, find_program, start
from microx_utils.video import FPS, iter_frames, probe_video, split_path, stored_frames, write_video

VERSION = 2
"""Raise the number when a change moves landmarks: cached tables of older versions are then not used."""

_BROKEN_AFTER = 3  # clips that fail alone, each with the exit code of a broken program
_MISSING_ROWS = 2  # a CSV may be this much shorter than its video: decoders differ in the last frames
_TIMEOUT, _TIMEOUT_PER_FRAME = 60.0, 0.5  # s; OpenFace takes some seconds to start, and 0.03 s per frame
_CRF = 12  # of the video that is made of a part of another: finer than the eye sees


def run_openface(
    videos: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    done: Callable[[str, pd.DataFrame], None],
    *,
    program: Program | None = None,
    jobs: int | None = None,
    clips_per_start: int = 16,
    timeout_s: float | None = None,
    worked_before: bool = False,
    claim: Callable[[list[str]], AbstractContextManager[list[str]]] = nullcontext,
) -> dict[str, str]:
    """Run OpenFace over videos, and return the problem of each, "" for those with landmarks.

    The exit code is not relied on: a clip is finished when its CSV exists, can be read and covers the video. Clips
    whose start crashed, hung or left them out are tried once more, each alone, so that a bad clip costs its neighbours
    nothing. An interrupt ends the programs; clips that are finished by then stay finished.

    Parameters
    ----------
    videos
        Paths, also of parts of videos (see `video.split_path`): OpenFace then sees the part's frames at 30 per second.
    folder
        Where to work, made if needed; nothing is left in it.
    done
        Called as `done(video, table)` for each finished clip, in any thread. The table has one row per stored frame
        and OpenFace's own columns. A DataError or ValueError that it raises becomes the clip's problem.
    program
        How to start OpenFace; by default what `find_program` finds.
    jobs
        Number of programs at a time, with one thread each; None is one per core.
    clips_per_start
        Videos per start: loading the models takes longer than a short clip.
    timeout_s
        Seconds that one clip may take; by default a minute, and half a second for each frame.
    worked_before
        OpenFace has worked here before: if it now fails for every clip, the clips are at fault.
    claim
        Called with the videos of a start before it begins; yields those to run it on, until it has ended.

    Returns
    -------
    {video: problem}
        "" or what was wrong, with the end of OpenFace's output; nothing for a video that `claim` left out.

    Raises
    ------
    DataError
        OpenFace isn't found or can't be started; or it is broken (its models are missing, say): it fails for three
        clips, one after the other, without ever writing a CSV.
    ValueError
        jobs or clips_per_start is below 1.
    """
    jobs = jobs if jobs is not None else os.cpu_count() or 1
    if jobs < 1 or clips_per_start < 1:
        raise ValueError(f"jobs and clips_per_start must be at least 1, got {jobs} and {clips_per_start}")
    names = list(dict.fromkeys(map(str, videos)))
    if not names:
        return {}
    program = program or find_program()
    if program is None:
        raise DataError("OpenFace", "isn't found on this machine", HOW_TO_GET)
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    shared = _Run(program, folder, done, timeout_s, worked_before, claim)
    size = min(clips_per_start, -(-len(names) // jobs))
    problems: dict[str, str] = {}
    with (
        tqdm(total=len(names), desc="OpenFace", unit="clip", disable=len(names) == 1) as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        pending = {pool.submit(shared.batch, names[first : first + size]) for first in range(0, len(names), size)}
        try:
            while pending:  # in steps, so that an interrupt is noticed everywhere
                finished, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    problems |= future.result()
                bar.update(max(0, len(problems) + sum(list(shared.under_way.values())) - bar.n))
        finally:  # after an exception: nothing new is started, and the pool waits until the programs have ended
            shared.stop.set()
            pool.shutdown(cancel_futures=True)
    return problems


@dataclass(frozen=True)
class _Clip:
    video: str  # as it was given
    file: Path  # what OpenFace gets
    frames: int


class _Run:
    """What the threads of one `run_openface` share."""

    def __init__(
        self,
        program: Program,
        folder: Path,
        done: Callable[[str, pd.DataFrame], None],
        timeout_s: float | None,
        worked_before: bool,
        claim: Callable[[list[str]], AbstractContextManager[list[str]]],
    ) -> None:
        self.program, self.folder, self.done, self.timeout_s = program, folder, done, timeout_s
        self.claim = claim
        self.stop = threading.Event()
        self.under_way: dict[int, int] = {}  # thread -> clips of its batch that are finished, for the bar
        self._wrote = worked_before  # whether any start has left a CSV
        self._failed_alone: set[str] = set()  # clips that failed alone as if the program were broken

    def batch(self, videos: list[str]) -> dict[str, str]:
        """Return the problems of the videos that are claimed; only of finished ones, when `stop` is set."""
        with self.claim(videos) as mine:
            return self._batch(mine)

    def _batch(self, videos: list[str]) -> dict[str, str]:
        problems: dict[str, str] = {}
        self.under_way[threading.get_ident()] = 0
        with tempfile.TemporaryDirectory(prefix=".openface-", dir=self.folder, ignore_cleanup_errors=True) as name:
            folder, clips = Path(name), []
            for number, video in enumerate(videos):
                if self.stop.is_set():
                    return problems
                try:
                    clips.append(_readable(video, folder / f"part{number}.mp4"))
                except (DataError, ValueError, OSError) as error:
                    problems[video] = problem_of(error)
            if clips:
                problems |= self._start(clips, folder / "together")
            for number, clip in enumerate([clip for clip in clips if problems[clip.video]] if len(clips) > 1 else []):
                if self.stop.is_set():
                    break
                problems |= self._start([clip], folder / f"alone{number}")
        del self.under_way[threading.get_ident()]
        return problems

    def _start(self, clips: list[_Clip], folder: Path) -> dict[str, str]:
        """Start OpenFace once, hand the tables of finished clips on, and return each clip's problem."""
        thread = threading.get_ident()
        ended = start(
            self.program,
            [clip.file for clip in clips],
            folder,
            patience=self.timeout_s or max(_TIMEOUT + _TIMEOUT_PER_FRAME * clip.frames for clip in clips),
            stop=self.stop,
            begun=lambda count: self.under_way.update({thread: count - 1}),
        )
        problems, wrote = dict.fromkeys((clip.video for clip in clips), ""), False
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
            try:
                self.done(clip.video, table)
            except (DataError, ValueError) as error:
                problems[clip.video] = problem_of(error)
        self._wrote = self._wrote or wrote
        if len(clips) == 1 and ended.faulty and not wrote:
            self._failed_alone.add(clips[0].video)
            if not self._wrote and len(self._failed_alone) >= _BROKEN_AFTER:
                self.stop.set()  # before another thread starts it again
                remedy = "Start the program by hand: it has to load its models and to read a video."
                raise DataError(str(self.program), f"OpenFace fails for every clip: it {ended}", remedy)
        return problems


def read_finished_csv(path: str | os.PathLike[str], frames: int) -> pd.DataFrame:
    """Return the table of an OpenFace CSV of a video with `frames` frames; the last two rows may be missing.

    Raises DataError for what `read_openface_csv` refuses, for a last row that is cut short, and for missing rows.
    """
    table = read_openface_csv(path)
    if not read_text(path).endswith("\n"):  # the last value may be cut short
        raise DataError(path, f"is cut short in row {len(table)}", "Run OpenFace on the clip again.")
    if len(table) < frames - _MISSING_ROWS:
        problem = f"has {len(table)} rows, and the video {frames} frames"
        raise DataError(path, problem, "Run OpenFace on the clip again.")
    return table


def _readable(video: str, part: Path) -> _Clip:
    """Return a clip that can be read, or raise; one that OpenFace would see otherwise is written to `part` first."""
    if not _written_first(video):
        return _Clip(video, Path(video), probe_video(video).frames)
    count = 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal count
        for _, frame in iter_frames(video):
            count += 1
            height, width = frame.shape[:2]
            yield frame[: height // 2 * 2, : width // 2 * 2]  # H.264 wants even sizes; points stay where they are

    write_video(part, frames(), crf=_CRF)
    return _Clip(video, part, count)


def _written_first(video: str | os.PathLike[str]) -> bool:
    """Return whether OpenFace gets a clip's frames at 30 fps in a file of their own.

    It knows no parts of files, and it may ignore how a file says to turn, mirror or widen its frames: its points would
    then belong to other pictures than ours.
    """
    return split_path(video)[1] is not None or not probe_video(video).as_stored


def version() -> list[Any]:
    """See `landmarks.Tracker`."""
    return [VERSION, *FLAGS]


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
    tables: list[pd.DataFrame] = []
    problem = run_openface([path], folder, lambda _, table: tables.append(table), program=program, jobs=1)[str(path)]
    if problem:
        raise DataError(path, problem, "Look at the video, or leave the clip out.")
    return at_30_fps(tables[0], path)


def run_missing(names: list[str], jobs: int | None, cache: str | os.PathLike[str] | None) -> dict[str, str]:
    """Run OpenFace over the videos without a kept table; return each video's problem, "" if its table is kept now.

    Another run at the same time, in another notebook for instance, does other clips.
    """
    problems, places = {}, {}
    for name in names:
        try:
            iter_frames(name, fps=FPS)  # says what is wrong with a file that can't be read
            places[name] = kept_table(name, "openface", cache)
        except (DataError, ValueError) as error:
            problems[name] = problem_of(error)
    # copies of one video share one table
    todo = {place: name for name, place in places.items() if not ready(place)}
    worked_before = len(todo) < len(set(places.values()))
    failed: dict[str, str] = {}

    def keep(name: str, table: pd.DataFrame) -> None:
        write_openface_csv(at_30_fps(table, name), places[name], checked=True)

    @contextmanager
    def claim(batch: list[str]) -> Iterator[list[str]]:
        with claimed(places[name] for name in batch) as free:
            yield [name for name in batch if places[name] in free and not ready(places[name])]

    left = todo
    while left:
        folder = next(iter(left)).parent
        failed |= run_openface([*left.values()], folder, keep, jobs=jobs, worked_before=worked_before, claim=claim)
        left = {place: name for place, name in left.items() if name not in failed and not ready(place)}
        for place in list(left)[:1]:
            with lock(place):  # until the other run is done with it
                pass
    problems |= {name: failed.get(todo[place], "") for name, place in places.items() if place in todo}
    return {name: problems.get(name, "") for name in names}


def at_30_fps(table: pd.DataFrame, path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a table of `run_openface` (one row per stored frame) at 30 fps."""
    if _written_first(path):
        return rows_at_30_fps(table, np.arange(len(table)))
    return rows_at_30_fps(table, stored_frames(path, fps=FPS))


def rows_at_30_fps(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return the given rows of a table as the clip's rows at 30 fps; rows past its end repeat the last one.

    Columns are put into the order of a kept table, so that the result equals what will be read from the cache.
    """
    table = table[[*REQUIRED_COLUMNS, *(name for name in table.columns if name not in REQUIRED_COLUMNS)]]
    table = table.iloc[np.minimum(rows, len(table) - 1)].reset_index(drop=True)
    return table.assign(frame=np.arange(1, len(table) + 1), timestamp=(np.arange(len(table)) / FPS).round(6))
