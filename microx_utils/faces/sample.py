"""The shipped sample: renders the planned clips into BAUM's layout, with annotation sheets and ground truth."""

import os
import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from openpyxl import Workbook, load_workbook

from microx_utils.corpora.baum import BAUM1A_CODES, BAUM1S_CODES, BAUM2_CODES, SAME_WORD
from microx_utils.support.cache import atomic_file, ready
from microx_utils.support.errors import DataError
from microx_utils.support.parallel import run_parallel
from microx_utils.support.paths import SAMPLE
from microx_utils.video import probe_video, write_video

from .head import head_model
from .identity import sample_identity
from .person import load_person
from .render import Stage
from .sample_plan import ROW_WITHOUT_CLIP, PlannedClip, plan_sample
from .truth import GroundTruth, pack_truth, unpack_truth

TRUTH_FILE = "truth.npz"
SAMPLE_SIZE = (512, 288)
"""Width and height of the sample's frames, pixels: OpenFace's model of the inner face needs faces this large."""
COMPRESSION = 23, 32
"""Range of x264's constant rate factor, drawn for each take."""
PARTS = ".parts"
"""Folder of the ground truth of each rendered clip, until all are rendered and the truth file is written."""


def make_sample(
    folder: str | os.PathLike[str], *, jobs: int | None = None, plan: Sequence[PlannedClip] | None = None
) -> Path:
    """Render the sample into a folder.

    Files are complete or absent, and only missing ones are rendered, so a second call resumes a stopped one.
    To render everything again, delete the folder first.

    Parameters
    ----------
    folder
        Becomes the same as the repository's data/sample: BAUM-1, BAUM-2, own and truth.npz.
    jobs
        Number of processes; by default one per core.
    plan
        The clips; by default all of `plan_sample`.

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
        run_parallel(render_planned, [(target, clip) for clip in todo], desc="rendering people", jobs=jobs)
    write_annotations(target, plan)
    if todo or not {clip.path for clip in plan} <= known:
        _write_truth(target, plan)
    shutil.rmtree(target / PARTS, ignore_errors=True)
    return target


def render_planned(folder: Path, clip: PlannedClip) -> None:
    """Render one clip into the folder: first its ground truth, then the video, so that no video lacks its truth."""
    cv2.setNumThreads(1)  # there is one process per core already
    stage = open_stage(clip)
    if clip.truth_key == clip.path:
        with atomic_file(_part(folder, clip.path), checked=True) as temporary:
            np.savez(temporary, **pack_truth({clip.path: stage.truth()}, {clip.path: clip.path}))  # type: ignore[arg-type]
    frames = np.stack([stage.draw(k, mask=clip.mask) for k in range(clip.frames)])
    crf = int(np.random.default_rng([7, clip.person, clip.seed]).integers(*COMPRESSION))
    write_video(folder / clip.path, frames, fps=clip.fps, crf=crf)


def open_stage(clip: PlannedClip) -> Stage:
    """Return a planned clip, ready to be drawn frame by frame in order."""
    who = clip.person, clip.performance, clip.seed
    return Stage(*who, frames=clip.frames, fps=clip.fps, size=SAMPLE_SIZE, scene=clip.scene)


def _part(folder: Path, key: str) -> Path:
    return folder / PARTS / (key.replace("/", "__") + ".npz")


def _known_keys(folder: Path) -> set[str]:
    file = folder / TRUTH_FILE
    if not file.exists():
        return set()
    with np.load(file) as data:
        return set(data["keys"].tolist())


def _is_done(folder: Path, clip: PlannedClip, known: set[str]) -> bool:
    try:
        whole = probe_video(folder / clip.path).frames == clip.frames
    except DataError:  # it is missing or cut short
        return False
    return whole and (clip.path in known or ready(_part(folder, clip.truth_key)))


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
        raise DataError(file, "no ground truth here", "Make the sample with `microx data render`.")
    arrays = _load_arrays(file, file.stat().st_mtime_ns)
    rows = {str(key): int(take) for key, take in zip(arrays["keys"], arrays["take"], strict=True)}
    parts = Path(clip).parts
    for first in range(len(parts)):
        key = "/".join(parts[first:])
        if key in rows:
            return unpack_truth(arrays, rows[key])
    remedy = "Give a clip's path below the sample's folder, for instance the `path` column of the clip table."
    raise DataError(file, f"no clip {str(clip)!r} among the {len(rows)} rendered ones", remedy)


def people_facts() -> pd.DataFrame:
    """Return what is known of the sample's people, in words: columns sex, age, skin, glasses; the subject is the index.

    "older" begins a third of the way to the oldest shape, "darker" at a little above the mean melanin. They are facts
    of a drawing, by which errors can be compared, and no one's description.
    """
    model = head_model()
    rows = {}
    for clip in plan_sample():
        subject = (
            f"own/p{clip.subject:02d}" if clip.corpus == "own" else f"{clip.corpus.rstrip('as')}/S{clip.subject:03d}"
        )
        if subject not in rows:
            who = sample_identity(model, clip.person)
            rows[subject] = {
                "sex": "male" if who.male else "female",
                "age": "older" if who.age >= 0.25 else "younger",
                "skin": "darker" if who.melanin >= 0.45 else "lighter",
                "glasses": "with" if who.glasses else "without",
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("subject")


def write_annotations(folder: Path, plan: Sequence[PlannedClip]) -> None:
    """Write BAUM's three annotation sheets for the planned clips, quirks included (see data/README.md)."""
    listed = [(clip, clip.label) for clip in plan if clip.label is not None]
    for corpus, codes in (("BAUM-1a", BAUM1A_CODES), ("BAUM-1s", BAUM1S_CODES)):
        rows = [(clip.subject, _gender(clip.person), clip.name, word) for clip, word in listed if clip.corpus == corpus]
        if corpus == "BAUM-1s" and rows:
            subject, number, word = ROW_WITHOUT_CLIP
            if (gender := next((row[1] for row in rows if row[0] == subject), None)) is not None:
                rows.append((subject, gender, f"S{subject:03d}_{number:03d}", word))
        table: list[tuple] = [("No", "Subject", "Gender", "Clip Name", "Emotion", "Emotion Code")]
        for k, (subject, gender, name, word) in enumerate(sorted(rows, key=lambda row: row[2]), start=1):
            table.append((k, subject, gender, name, word, _code(word, codes)))
        if rows:
            _write_sheet(folder / "BAUM-1" / f"Annotations_BAUM1{corpus[-1]}.xlsx", table)
    films = sorted((clip.name, word) for clip, word in listed if clip.corpus == "BAUM-2")
    if films:
        table = [("Clip Name", "Emotion", "Emotion Code", "Audio useful?")]
        table += [(name, word, _code(word, BAUM2_CODES), "No") for name, word in films]
        _write_sheet(folder / "BAUM-2" / "Annotations.xlsx", table)


def _code(word: str, codes: dict[int, str]) -> int:
    label = SAME_WORD.get(word.lower(), word.lower())
    return next(code for code, known in codes.items() if known == label)


def _gender(person: int) -> str:
    return "Male" if load_person(person).identity.male else "Female"


def _write_sheet(path: Path, table: list[tuple]) -> None:
    if path.exists() and list(load_workbook(path).worksheets[0].values) == table:
        return  # a workbook holds the time of its writing, which alone is no reason to change the file
    book = Workbook()
    sheet = book.active
    if sheet is None:
        raise RuntimeError("a new workbook came without a sheet")
    sheet.title = "Sheet1"
    for row in table:
        sheet.append(row)
    with atomic_file(path) as temporary:
        book.save(temporary)
