"""The shipped sample: renders the planned clips into BAUM's layout, with annotation sheets and ground truth."""

import multiprocessing
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from openpyxl import Workbook, load_workbook
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from microx_utils.support.cache import atomic_file
from microx_utils.support.errors import DataError
from microx_utils.support.paths import SAMPLE
from microx_utils.video import write_video

from .person import load_person
from .render import FRAME_SIZE, Stage
from .sample_plan import CODES, FILM_CODES, ROW_WITHOUT_CLIP, PlannedClip, plan_sample
from .truth import GroundTruth, pack_truth, unpack_truth

TRUTH_FILE = "truth.npz"
PARTS = ".parts"
"""Ground truth of clips already rendered, until all are and the truth file is written."""


def make_sample(
    folder: str | os.PathLike[str], *, jobs: int | None = None, plan: Sequence[PlannedClip] | None = None
) -> Path:
    """Render the sample into a folder.

    Files are whole or absent; a second call renders only what is missing, so a stopped one goes on where it was.
    To render everything anew, delete the folder first.

    Parameters
    ----------
    folder
        Becomes the same as the repository's data/sample: BAUM-1, BAUM-2, own and truth.npz.
    jobs
        Processes; all cores unless given.
    plan
        The clips; all of `plan_sample` unless given.

    Returns
    -------
    Path
        The folder.
    """
    target = Path(folder)
    plan = plan_sample() if plan is None else plan
    known = _known_keys(target)
    todo = [clip for clip in plan if not _is_done(target, clip, known)]
    if todo:
        workers = min(jobs or os.cpu_count() or 1, len(todo))
        with tqdm(total=len(plan), initial=len(plan) - len(todo), desc="rendering people", unit="clip") as progress:
            if workers == 1:
                for clip in todo:
                    render_planned(target, clip)
                    progress.update()
            else:
                context = multiprocessing.get_context("spawn")  # forking with thread pools alive can hang
                with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread_each) as pool:
                    for future in as_completed([pool.submit(render_planned, target, clip) for clip in todo]):
                        future.result()
                        progress.update()
    write_annotations(target, plan)
    if todo or not {clip.path for clip in plan} <= known:
        _write_truth(target, plan)
    shutil.rmtree(target / PARTS, ignore_errors=True)
    return target


def render_planned(folder: Path, clip: PlannedClip) -> None:
    """Render one clip into the folder: first its ground truth, then the video, so that a video is never without."""
    stage = open_stage(clip)
    if clip.truth_key == clip.path:
        with atomic_file(_part(folder, clip.path)) as temporary:
            np.savez(temporary, **pack_truth({clip.path: stage.truth()}, {clip.path: clip.path}))  # type: ignore[arg-type]
    frames = np.stack([stage.draw(k, mask=clip.mask) for k in range(clip.frames)])
    write_video(folder / clip.path, frames, fps=clip.fps)


def open_stage(clip: PlannedClip) -> Stage:
    """Return a planned clip, ready to be drawn frame by frame in order."""
    return Stage(
        *(clip.person, clip.performance, clip.seed),
        frames=clip.frames,
        fps=clip.fps,
        size=FRAME_SIZE,
        scene=clip.scene,
    )


def _one_thread_each() -> None:
    """Keep each process to one core: there is one process a core already."""
    threadpool_limits(1)
    cv2.setNumThreads(1)


def _part(folder: Path, key: str) -> Path:
    return folder / PARTS / (key.replace("/", "__") + ".npz")


def _known_keys(folder: Path) -> set[str]:
    file = folder / TRUTH_FILE
    if not file.exists():
        return set()
    with np.load(file) as data:
        return set(data["keys"].tolist())


def _is_done(folder: Path, clip: PlannedClip, known: set[str]) -> bool:
    has_truth = clip.path in known or _part(folder, clip.truth_key).exists()
    return has_truth and (folder / clip.path).exists()


def _write_truth(folder: Path, plan: Sequence[PlannedClip]) -> None:
    truths: dict[str, GroundTruth] = {}
    for clip in plan:
        key = clip.truth_key
        if key in truths:
            continue
        part = _part(folder, key)
        if part.exists():
            with np.load(part) as data:
                truths[key] = unpack_truth(data, 0)
        else:
            truths[key] = load_truth(key, folder=folder)
    arrays = pack_truth(truths, {clip.path: clip.truth_key for clip in plan})
    with atomic_file(folder / TRUTH_FILE) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    _load_arrays.cache_clear()


@lru_cache(maxsize=2)
def _load_arrays(file: Path, changed: int) -> dict[str, NDArray]:
    with np.load(file) as data:
        return dict(data)


def load_truth(clip: str | os.PathLike[str], *, folder: str | os.PathLike[str] = SAMPLE) -> GroundTruth:
    """Return the ground truth of a clip of the sample.

    Landmarks are stored to 1/16 px (off by at most 1/32), intensities to 0.01, angles to 0.0002 rad.

    Parameters
    ----------
    clip
        Its path: absolute, below the sample's folder, or any path that ends the same way.
    folder
        The sample.

    Raises
    ------
    DataError
        No truth file, or no such clip in it.
    """
    file = Path(folder) / TRUTH_FILE
    if not file.exists():
        raise DataError(file, "there is no ground truth here", "Make the sample with `microx data render`.")
    arrays = _load_arrays(file, file.stat().st_mtime_ns)
    rows = {str(key): int(take) for key, take in zip(arrays["keys"], arrays["take"], strict=True)}
    parts = Path(clip).parts
    for first in range(len(parts)):
        key = "/".join(parts[first:])
        if key in rows:
            return unpack_truth(arrays, rows[key])
    remedy = "Give a clip's path below the sample's folder, for instance the `path` column of the clip table."
    raise DataError(file, f"no clip {str(clip)!r} among the {len(rows)} rendered ones", remedy)


def write_annotations(folder: Path, plan: Sequence[PlannedClip]) -> None:
    """Write BAUM's three annotation sheets for the planned clips, quirks included (see data/README.md)."""
    listed = [clip for clip in plan if clip.label is not None]
    for corpus in ("BAUM-1a", "BAUM-1s"):
        rows = [
            (clip.subject, _gender(clip.person), clip.name, str(clip.label)) for clip in listed if clip.corpus == corpus
        ]
        if corpus == "BAUM-1s" and rows:
            subject, number, word = ROW_WITHOUT_CLIP
            person = next((clip.person for clip in listed if clip.corpus == corpus and clip.subject == subject), None)
            if person is not None:
                rows.append((subject, _gender(person), f"S{subject:03d}_{number:03d}", word))
        table: list[tuple] = [("No", "Subject", "Gender", "Clip Name", "Emotion", "Emotion Code")]
        for k, (subject, gender, name, word) in enumerate(sorted(rows, key=lambda row: row[2]), start=1):
            table.append((k, subject, gender, name, word, CODES[corpus].index(word) + 1))
        if rows:
            _write_sheet(folder / "BAUM-1" / f"Annotations_BAUM1{corpus[-1]}.xlsx", table)
    films = sorted((clip.name, str(clip.label)) for clip in listed if clip.corpus == "BAUM-2")
    if films:
        table = [("Clip Name", "Emotion", "Emotion Code", "Audio useful?")]
        table += [(name, word, FILM_CODES.index(word), "No") for name, word in films]
        _write_sheet(folder / "BAUM-2" / "Annotations.xlsx", table)


def _gender(person: int) -> str:
    return "Male" if load_person(person).identity.male else "Female"


def _write_sheet(path: Path, table: list[tuple]) -> None:
    if path.exists() and list(load_workbook(path).worksheets[0].values) == table:
        return  # a workbook holds the time of its writing: don't change a file for that alone
    book = Workbook()
    sheet = book.active
    if sheet is None:
        raise RuntimeError("a new workbook came without a sheet")
    sheet.title = "Sheet1"
    for row in table:
        sheet.append(row)
    with atomic_file(path) as temporary:
        book.save(temporary)
