"""Which trackers can be used here, and how good their landmarks look, clip by clip, without any ground truth.

`faces.tracker_errors` measures them against the ground truth of rendered clips.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from microx_utils.landmarks import (
    TRACKERS,
    chosen_tracker,
    clip_landmarks,
    get_tracker,
    landmark_array,
    success_array,
)
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.support.parallel import run_parallel
from microx_utils.video import FPS, probe_video

LOW_FOUND = 0.9
"""A clip with the face found in a smaller share of its frames is among the worst."""
LOW_CONFIDENCE = 0.7
"""A clip with a lower median confidence is among the worst."""
_ANCHORS = (36, 45, 27)  # outer eye corners and the top of the nose: the points that expressions move least
HIGH_JITTER = 2.0
"""% of the eye distance per frame: about three times the jitter of the worst clip of the rendered sample (0.7)."""
SHORT = 10
"""Frames at 30 fps: the length of a segment; a shorter clip becomes one only by repeating frames."""
LIMITS = {"found": (LOW_FOUND, np.inf), "confidence": (LOW_CONFIDENCE, np.inf), "jitter": (-np.inf, HIGH_JITTER)}
"""Column of the report -> lowest and highest good value."""

INSTALL = {
    "dlib": 'Run pip install -e ".[dlib]"',
    "openface": "Install OpenFace 2.2 and name its FeatureExtraction by OPENFACE_BIN, or run microx landmarks import",
}
"""Tracker -> how to get it, where it is not there from the start."""


def installed_trackers(*, cache: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Return, for each landmark tracker, "" if it can be used here, else what is missing.

    The tracker "openface" counts as usable if OpenFace's program is found, or at least one table has been imported
    (whether every clip has one shows only when they are read). `cache` is the folder of the tables, instead of
    data/processed.
    """
    kept = Path(paths.PROCESSED if cache is None else cache) / "landmarks" / "openface"
    reasons = {}
    for name in TRACKERS:
        try:
            reasons[name] = "" if name == "openface" and any(kept.glob("*.csv")) else get_tracker(name).problem()
        except DataError as error:  # the environment names a program that doesn't exist
            reasons[name] = f"{error.path}: {error.problem}"
    return reasons


def check_usable(trackers: Sequence[str], *, cache: str | os.PathLike[str] | None = None) -> None:
    """Raise DataError for a landmark tracker that can't be used here (see `installed_trackers`)."""
    reasons = installed_trackers(cache=cache)
    for tracker in trackers:
        if reasons[chosen_tracker(tracker)]:
            usable = [name for name, reason in reasons.items() if not reason]
            raise DataError(f"landmark tracker {tracker}", reasons[tracker], f"{INSTALL[tracker]}, or use {usable}.")


def clip_quality(
    clips: pd.DataFrame,
    *,
    tracker: str | None = None,
    jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Return a report on the clips of any corpus: what the files are, and how well the face was tracked.

    Parameters
    ----------
    clips
        A clip table; `clip_id`, `corpus` and `path` are used.
    tracker
        One of `landmarks.TRACKERS`; None is `chosen_tracker`.
    jobs
        Number of processes; None is one per core.
    cache
        Folder of the cached landmarks, instead of data/processed.

    Returns
    -------
    DataFrame
        One row per clip, in the order of `clips`:

        clip_id, corpus
            As in the clip table.
        stored_fps, stored_frames, seconds, width, height
            The video as stored: average rate, number of frames, duration, size in px. NaN or 0 if it can't be read.
        frames
            At 30 fps, as everything later sees the clip; 0 if it can't be read.
        found
            Share of those frames with a face, 0-1.
        confidence
            The tracker's score, 0-1, median over frames with a face. Scores of different trackers are not comparable.
        eye_distance
            Between the outer eye corners in px, median over frames with a face.
        jitter
            How much the steadiest points shake: the outer eye corners and the top of the nose (points 36, 45, 27),
            relative to their mean, which removes the face's translation. It is the mean distance that these three move
            from one stored frame to the next, in % of eye_distance; median over pairs of frames with a face. Head
            turns, nods and blinks add to it, so it is pure noise only if the head is still.
        problem
            "" or why the clip can't be used: what is wrong with the file, or that it shows no face.

        NaN where there is nothing to measure. A bad clip has a problem, and never stops the report.

    Raises
    ------
    DataError
        The tracker is not usable here.
    ValueError
        Unknown tracker.
    """
    tracker = chosen_tracker(tracker)
    check_usable([tracker], cache=cache)
    files = [str(path) for path in clips["path"]]
    problems = get_tracker(tracker).problems_ahead(files, jobs=jobs, cache=cache)
    calls = [(file, tracker, cache, problem) for file, problem in zip(files, problems, strict=True)]
    rows = run_parallel(_clip_row, calls, desc="looking at clips", jobs=jobs, lost=_empty_row)
    report = pd.DataFrame(rows, columns=list(_EMPTY_ROW))
    report.insert(0, "corpus", clips["corpus"].to_numpy())
    report.insert(0, "clip_id", clips["clip_id"].to_numpy())
    return report


def _empty_row(problem: str) -> dict[str, Any]:
    return _EMPTY_ROW | {"problem": problem}


_EMPTY_ROW: dict[str, Any] = {
    "stored_fps": np.nan,
    "stored_frames": 0,
    "seconds": np.nan,
    "width": 0,
    "height": 0,
    "frames": 0,
    "found": np.nan,
    "confidence": np.nan,
    "eye_distance": np.nan,
    "jitter": np.nan,
    "problem": "",
}


def _clip_row(path: str, tracker: str, cache: Any, problem: str) -> dict[str, Any]:
    """Return a clip's row of the report, without its name."""
    row = dict(_EMPTY_ROW)
    try:
        info = probe_video(path)
        row |= {"stored_fps": info.fps, "stored_frames": info.frames, "seconds": info.seconds}
        row |= {"width": info.width, "height": info.height}
        if problem:
            return row | {"problem": problem}
        table = clip_landmarks(path, tracker=tracker, cache=cache)
    except DataError as error:
        return row | {"problem": error.problem}
    except (ValueError, OSError, cv2.error) as error:  # a part outside the picture, a file without read permission
        return row | {"problem": " ".join(str(error).split()) or type(error).__name__}
    seen = success_array(table)
    row |= {"frames": len(table), "found": float(seen.mean())}
    if not seen.any():
        return row | {"problem": "no face found in any frame"}
    points = landmark_array(table).astype(float)
    eyes = float(np.median(np.linalg.norm(points[seen, 45] - points[seen, 36], axis=1)))
    confidence = float(np.median(table["confidence"].to_numpy()[seen]))
    row |= {"confidence": confidence, "eye_distance": eyes}
    if eyes > 0:
        row["jitter"] = _restlessness(points, seen, info.fps) / eyes * 100
    return row


def _restlessness(points: np.ndarray, seen: np.ndarray, stored_fps: float) -> float:
    """Return the median movement in px of the steady points without translation; NaN without two frames."""
    steady = points[:, list(_ANCHORS)]
    steady = steady - steady.mean(axis=1, keepdims=True)
    moved = np.linalg.norm(np.diff(steady, axis=0), axis=2).mean(axis=1)
    # which stored frame each one shows, at a constant rate: repeats of a picture would hide the jitter at low rates
    shown = np.ceil(np.arange(len(points)) / FPS * stored_fps - 0.5 - 1e-3)
    counted = seen[1:] & seen[:-1] & (np.diff(shown) > 0)
    return float(np.median(moved[counted])) if counted.any() else np.nan


def worst_clips(quality: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the n worst clips of a report of `clip_quality`, each with the reason.

    In this order: clips that can't be used; the face found in less than LOW_FOUND of the frames, the fewest first;
    median confidence below LOW_CONFIDENCE; jitter above HIGH_JITTER, the highest first; shorter than SHORT frames. If
    these are fewer than n, the clips with the highest jitter follow, and their reason says that nothing is wrong with
    them. Ties are in the order of clip_id, so that the list is reproducible.

    Returns
    -------
    DataFrame
        The report's columns, and `reason` after `clip_id`; at most n rows, the worst first.
    """
    ranked = []
    for position, (_, clip) in enumerate(quality.iterrows()):
        rank, value, reason = _badness(clip)
        ranked.append((rank, value, str(clip["clip_id"]), position, reason))
    ranked = sorted(ranked)[: max(0, n)]
    worst = quality.iloc[[position for *_, position, _ in ranked]].reset_index(drop=True)
    worst.insert(list(worst.columns).index("clip_id") + 1, "reason", [reason for *_, reason in ranked])
    return worst


def _badness(clip: pd.Series) -> tuple[int, float, str]:
    """Return the kind of fault (0 is the worst), its severity (the lowest is the worst), and the reason in words."""
    if clip["problem"]:
        return 0, 0.0, str(clip["problem"])
    if clip["found"] < LOW_FOUND:
        return 1, float(clip["found"]), f"face found in {_percent(clip['found'])} of the frames"
    if clip["confidence"] < LOW_CONFIDENCE:
        return 2, float(clip["confidence"]), f"median confidence {clip['confidence']:.2f}"
    if clip["jitter"] > HIGH_JITTER:
        return 3, -float(clip["jitter"]), f"jitter of {clip['jitter']:.1f} % of the eye distance per frame"
    if clip["frames"] < SHORT:
        return 4, float(clip["frames"]), f"very short: {clip['frames']} frames"
    jitter = float(clip["jitter"])
    if not np.isfinite(jitter):
        return 6, 0.0, "nothing wrong"
    return 5, -jitter, f"nothing wrong; jitter of {jitter:.2f} % of the eye distance per frame"


def _percent(share: float) -> str:
    """Return a share below 1 in per cent, never rounded up to 100.

    >>> _percent(0.5), _percent(0.9999)
    ('50 %', '99 %')
    """
    return f"{int(100 * share + 1e-9)} %"
