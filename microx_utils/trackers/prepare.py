"""Landmarks of many clips at once: computed by one tracker, or imported from OpenFace CSVs made elsewhere."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from microx_utils.landmarks import (
    chosen_tracker,
    clip_landmarks,
    get_tracker,
    kept_table,
    landmark_array,
    read_openface_csv,
    success_array,
    write_openface_csv,
)
from microx_utils.support import paths
from microx_utils.support.errors import DataError, problem_of
from microx_utils.support.names import folded
from microx_utils.support.parallel import run_parallel
from microx_utils.trackers import openface
from microx_utils.video import FPS, probe_video, split_path, stored_frames

_SPARE_ROWS = 2  # an imported CSV may be longer than its video by this much: decoders differ in the last frames


def prepare_landmarks(
    clips: Iterable[str | os.PathLike[str]],
    *,
    tracker: str | None = None,
    jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Compute and cache the landmarks of many videos, so that `clip_landmarks` finds them.

    OpenFace is started a few times for many clips each; the other trackers take one clip at a time in each process.

    Parameters
    ----------
    clips
        Paths of the videos.
    tracker, cache
        As in `clip_landmarks`.
    jobs
        Number of processes or programs at a time; None is one per core.

    Returns
    -------
    DataFrame
        One row per video, in the order given: path, problem ("", or why it has no landmarks).

    Raises
    ------
    DataError
        The tracker isn't installed or is broken; never for one clip.
    ValueError
        Unknown tracker.
    """
    tracker = chosen_tracker(tracker)
    names = [str(path) for path in clips]
    once = list(dict.fromkeys(names))
    if tracker == "openface":
        problems = openface.run_missing(once, jobs, cache)
    else:
        get_tracker(tracker).problems_ahead(once, cache=cache)  # raises what would be the problem of every clip
        folder = paths.PROCESSED if cache is None else cache  # other processes know the default only
        calls = [(name, tracker, folder) for name in once]
        found = run_parallel(_problem_of, calls, desc="finding landmarks", jobs=jobs, lost=str)
        problems = dict(zip(once, found, strict=True))
    return pd.DataFrame({"path": names, "problem": [problems[name] for name in names]}, dtype=object)


def _problem_of(path: str, tracker: str, cache: str | os.PathLike[str] | None) -> str:
    try:
        clip_landmarks(path, tracker=tracker, cache=cache)
    except (DataError, ValueError) as error:
        return problem_of(error)
    return ""


def import_openface(
    folder: str | os.PathLike[str],
    clips: pd.DataFrame,
    *,
    excluded: pd.DataFrame | None = None,
    cache: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
) -> pd.DataFrame:
    """Import OpenFace CSVs that were made elsewhere, such as by the Windows program, as the clips' OpenFace landmarks.

    From then on the tracker "openface" needs no program for these clips. A CSV of `.../S001/avi/001.avi`, the clip
    BAUM-2/S001_001, may be called S001_001.csv, S001/001.csv, S001/avi/001.csv, S001_avi_001.csv, or 001.csv if no
    other clip's video is called 001; case doesn't matter. Every folder between `folder` and the CSV must be part of
    the video's path or the clip's id, so that S012/avi/013.csv is not taken for another person's 013. A CSV that
    matches several clips is not imported.

    Parameters
    ----------
    folder
        The folder of the CSVs; subfolders are searched too.
    clips
        A clip table: clip_id and path are used.
    excluded
        The clips that were left out, of `corpora.load_clips`: a CSV of one of them is listed with the reason.
    cache, jobs
        As in `prepare_landmarks`.

    Returns
    -------
    DataFrame
        csv, clip_id, problem: one row per CSV and one per clip without a CSV; problem is "" if the CSV was imported.
        csv or clip_id is "" if there is none.

    Raises
    ------
    DataError
        The folder is missing or holds no CSV.
    """
    folder = paths.typed(folder)
    if not folder.is_dir():
        problem = "a file, not a folder" if folder.exists() else "no such folder"
        raise DataError(folder, problem, "Give the folder that holds OpenFace's CSVs.")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith((".csv", ".csv.gz")) and path.is_file() and path.name[0] != "."
    )
    if not files:
        raise DataError(folder, "holds no CSV", "Give the folder that holds OpenFace's CSVs, one for each clip.")
    videos = dict(zip(clips["clip_id"], map(str, clips["path"]), strict=True))
    names = [file.relative_to(folder) for file in files]
    matches = _match_names(names, videos)
    others = excluded[excluded["path"] != ""] if excluded is not None else clips[:0].assign(reason="")
    left_out = _match_names(names, dict(zip(others["clip_id"], map(str, others["path"]), strict=True)))
    reasons = dict(zip(others["clip_id"], others["reason"], strict=True))
    uses = Counter(found[0] for found in matches if len(found) == 1)
    rows = []
    for file, found, unused in zip(files, matches, left_out, strict=True):
        problem = ""
        if not found and unused:
            problem = f"is of the clip {unused[0]}, which is left out: {reasons[unused[0]]}"
        elif not found:
            problem = (
                "matches no clip: name it by its clip's id or its video's name, its folders as the video's folders"
            )
        elif len(found) > 1:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            problem = f"matches several clips: {', '.join(found[:3])}{more}; name it {found[0]}.csv, for instance"
        elif uses[found[0]] > 1:
            problem = f"is one of {uses[found[0]]} CSVs that match this clip: keep one of them"
        rows.append({"csv": str(file), "clip_id": found[0] if len(found) == 1 else "", "problem": problem})
    good = [row for row in rows if not row["problem"]]
    kept = paths.PROCESSED if cache is None else cache  # other processes know the default only
    calls = [(videos[row["clip_id"]], row["csv"], kept) for row in good]
    problems = run_parallel(_import_one, calls, desc="importing CSVs", jobs=jobs, lost=str)
    for row, problem in zip(good, problems, strict=True):
        row["problem"] = problem
    rows += [
        {"csv": "", "clip_id": clip_id, "problem": "no CSV matches it"} for clip_id in videos if clip_id not in uses
    ]
    for row in rows:  # a name that is not UTF-8 can be opened, but not printed
        row["csv"] = row["csv"].encode("utf-8", "backslashreplace").decode()
    return pd.DataFrame(rows, columns=["csv", "clip_id", "problem"])


def _match_names(files: Sequence[Path], videos: dict[str, str]) -> list[list[str]]:
    """Return the clips that each CSV's name matches, as in `import_openface`; `videos` are paths by clip id."""
    keys: dict[str, list[str]] = {}
    words: dict[str, set[str]] = {}
    for clip_id, video in videos.items():
        file = split_path(video)[0]
        parts = [*file.parent.parts, file.stem]
        own = {clip_id.replace("/", "_"), clip_id.split("/")[-1]}
        own |= {"_".join(parts[-length:]) for length in range(1, len(parts) + 1)}
        for key in {folded(each) for each in own}:
            keys.setdefault(key, []).append(clip_id)
        words[clip_id] = {folded(part) for part in (*parts, *clip_id.split("/"))}
    matches = []
    for each in files:
        names = [folded(part) for part in (*each.parent.parts, re.sub(r"(?i)\.csv(\.gz)?$", "", each.name))]
        found: list[str] = []
        for length in range(len(names), 0, -1):  # the longest name that matches decides
            folders = set(names[:-length])
            found = [clip_id for clip_id in keys.get("_".join(names[-length:]), []) if folders <= words[clip_id]]
            if found:
                break
        matches.append(found)
    return matches


def _import_one(video: str, csv: str, cache: str | os.PathLike[str] | None) -> str:
    """Cache a CSV as a video's OpenFace landmarks; return "" or why it can't be used."""
    try:
        info, rows = probe_video(video), stored_frames(video, fps=FPS)
        if not info.as_stored:
            return "belongs to a rotated, mirrored or anamorphic video, whose pixels OpenFace may have seen otherwise"
        frames = info.frames
        if split_path(video)[1] is not None and abs(len(read_openface_csv(csv)) - frames) > _SPARE_ROWS:
            rows, frames = np.arange(len(rows)), len(rows)  # the part may have been exported at 30 fps
        table = openface.read_finished_csv(csv, frames)
        if len(table) > frames + _SPARE_ROWS:
            return (
                f"has {len(table)} rows, and the video {frames} frames: it is of another video, or of another version"
            )
        points = landmark_array(table)[success_array(table)]
        if len(points) and np.median(points, axis=(0, 1)).max() > max(info.width, info.height):
            size = f"{info.width} x {info.height} px"
            return f"has points outside the video's {size}: it is of another video, or of a copy of another size"
        kept = kept_table(video, "openface", cache)
        write_openface_csv(openface.rows_at_30_fps(table, rows), kept, checked=True)
    except (DataError, ValueError) as error:
        return problem_of(error)
    return ""
