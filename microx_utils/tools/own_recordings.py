"""A class's own recordings: checked before they are scored, and paired with and without a mask (section V.F).

Notebook 09 uses both functions; `corpora.own` reads the recordings themselves.
"""

from collections.abc import Hashable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from microx_utils.corpora import CLIP_COLUMNS, VIDEO_SUFFIXES, read_own
from microx_utils.evaluation import clip_predictions
from microx_utils.labels import EMOTIONS
from microx_utils.landmarks import clip_landmarks, success_array
from microx_utils.support.errors import DataError
from microx_utils.support.parallel import run_parallel
from microx_utils.trackers.blazeface import FaceDetector
from microx_utils.video import iter_frames

CHECK_COLUMNS = [*CLIP_COLUMNS[:-1], "frames", "faces", "usable", "problem", "remedy"]
"""The columns of a table of checked recordings."""

_LOOKED_AT = 5  # frames, evenly spaced, in which faces are counted
_RENAME = f"Name it <emotion>_<plain|mask>_<number>.mp4, the emotion one of {', '.join(EMOTIONS)}."
_LONGER = "Record it again: two to three seconds."
_VISIBLE = "Record it again: close to the camera and facing it, with the light in front of you."
_ALONE = "Record it again with nobody else in the picture, not even on a poster; tell anyone who was in it."


def check_recordings(
    folder: str | PathLike[str], *, frames: int = 10, min_available: float = 0.5, jobs: int | None = None
) -> pd.DataFrame:
    """Check all files of `<person>/<emotion>_<plain|mask>_<n>.mp4`: list each, and what is wrong with it.

    A bad file raises nothing, so that it does not hide the next one. The landmarks found are cached.

    Parameters
    ----------
    folder
        The folder of the people's folders. If it does not exist, the table has no rows.
    frames
        Minimum number of frames of a recording, at 30 per second: the length of a segment.
    min_available
        Minimum share of frames in which the face must be found.
    jobs
        Number of processes; None is one per core.

    Returns
    -------
    DataFrame
        One row per file, sorted by path, hidden files excepted. The columns of the clip table except `note`; frames
        (at 30 per second) and faces (median count in five frames), both 0 if not examined; usable (bool); problem and
        remedy, empty if nothing is wrong. A usable recording has a problem if its partner with, or without, a mask is
        missing or unusable: it then counts alone, not as a pair.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return pd.DataFrame(columns=CHECK_COLUMNS)
    rows = [_check_name(row, folder) for row in read_own(folder).to_dict("records")]
    named = [row for row in rows if not row["problem"]]
    looks = [(row["path"], frames, min_available) for row in named]
    found = run_parallel(_look_at, looks, desc="checking", jobs=jobs, lost=_unreadable)
    for row, seen in zip(named, found, strict=True):
        row |= seen
    good = [row for row in rows if not row["problem"]]
    takes = {(take_of(row["clip_id"]), row["condition"]) for row in good}
    for row in good:
        row["usable"] = True
        other = "mask" if row["condition"] == "plain" else "plain"
        if (take_of(row["clip_id"]), other) not in takes:
            word, _, number = Path(row["path"]).stem.rsplit("_", 2)
            row["problem"] = f"no usable recording of this take with{'out' * (other == 'plain')} a mask"
            row["remedy"] = f"Record {word}_{other}_{number}.mp4 as well, or leave it unpaired."
    table = pd.DataFrame(rows + _other_files(folder), columns=CHECK_COLUMNS)
    return table.sort_values("path", ignore_index=True)


def take_of(clip_id: str) -> str:
    """Return what a recording and its partner share: its id without "plain" or "mask", in lower case.

    >>> take_of("own/p01_happy_mask_1"), take_of("own/p01_happy_plain_1")
    ('own/p01_happy_1', 'own/p01_happy_1')
    """
    before, _, number = clip_id.lower().rsplit("_", 2)
    return f"{before}_{number}"


def pair_takes(predictions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the clip predictions of the takes that exist in both conditions: (plain, mask), with matching rows.

    Parameters
    ----------
    predictions
        Predictions of own recordings, their clip ids ending in `_plain_<n>` or `_mask_<n>`.

    Returns
    -------
    (plain, mask)
        Prediction tables with one row per take, the mean over its segments; segment_id and clip_id are the take's, so
        that `evaluation.mcnemar` compares the two. Recordings without a partner are left out.

    Raises
    ------
    ValueError
        No take has both.
    """
    clips = clip_predictions(predictions)
    condition = clips["clip_id"].str.lower().str.split("_").str[-2]
    takes = clips["clip_id"].map(take_of)
    clips = clips.assign(segment_id=takes, clip_id=takes)
    plain, mask = (clips[condition == name].set_index("clip_id", drop=False) for name in ("plain", "mask"))
    both = plain.index.intersection(mask.index).sort_values()
    if both.empty:
        raise ValueError(f"no take has a plain and a mask recording, of {len(plain)} plain and {len(mask)} masked ones")
    return plain.loc[both].reset_index(drop=True), mask.loc[both].reset_index(drop=True)


def _check_name(row: dict[Hashable, Any], folder: Path) -> dict[Hashable, Any]:
    """Return the row of a file, checked by its name and folder alone."""
    problem, remedy = row.pop("reason"), _RENAME
    if problem == "two files for one clip":
        remedy = "Keep one of the files."
    if Path(row["path"]).parent.parent != folder:
        problem, remedy = "is not in a person's folder", f"Move it to {folder / '<person>'}."
    return row | {"frames": 0, "faces": 0, "usable": False, "problem": problem, "remedy": remedy if problem else ""}


def _unreadable(problem: str) -> dict[str, str]:
    return {"problem": problem, "remedy": "Export or record it again."}


def _look_at(path: str, frames: int, min_available: float) -> dict[str, Any]:
    """Return frames, faces, problem and remedy of one video with a valid name."""
    try:
        found = success_array(clip_landmarks(path))  # one for each frame
        looked_at = set(np.linspace(0, len(found) - 1, _LOOKED_AT).astype(int))
        images = [image for k, (_, image) in enumerate(iter_frames(path)) if k in looked_at]
    except DataError as error:
        return {"problem": error.problem, "remedy": error.remedy}
    detector = FaceDetector("full")  # it finds smaller faces than the tracker follows, such as bystanders
    faces = int(np.median([len(detector(image)) for image in images]))
    problem = remedy = ""
    if len(found) < frames:
        problem, remedy = f"has {len(found)} frames at 30 per second, and a segment needs {frames}", _LONGER
    elif found.mean() < min_available:
        problem, remedy = f"a face is found in {found.sum()} of {len(found)} frames", _VISIBLE
    elif faces > 1:
        problem, remedy = f"{faces} faces are in the picture", _ALONE
    return {"frames": len(found), "faces": faces, "problem": problem, "remedy": remedy}


def _other_files(folder: Path) -> list[dict[Hashable, Any]]:
    """Return a row for each file without a video's suffix."""
    readable = ", ".join(sorted(VIDEO_SUFFIXES))
    blank: dict[Hashable, Any] = dict.fromkeys(CHECK_COLUMNS, "")
    blank |= {"corpus": "own", "frames": 0, "faces": 0, "usable": False}
    blank |= {"problem": f"not a video that is read ({readable})", "remedy": "Export it as MP4, or move it elsewhere."}
    return [
        blank | {"path": str(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES and not path.name.startswith(".")
    ]
