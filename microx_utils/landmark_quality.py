"""How good landmarks are: against the truth of rendered clips, backend beside backend, and clip by clip without truth.

Errors are in % of the distance between the outer eye corners (points 36 and 45), the usual measure of landmark
error (Sagonas et al. 2013), so that large and small faces count alike.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from microx_utils import openface, paths
from microx_utils.backends import BACKENDS, check_backend, chosen_backend
from microx_utils.components import LANDMARK_GROUPS
from microx_utils.dlib_landmarks import dlib_problem
from microx_utils.errors import DataError
from microx_utils.faces.sample import load_truth
from microx_utils.faces.truth import GroundTruth
from microx_utils.landmark_batches import problems_ahead
from microx_utils.landmarks import clip_landmarks
from microx_utils.openface import action_units, landmark_array, success_array
from microx_utils.parallel import run_parallel
from microx_utils.video import FPS, probe_video

REGIONS = ("left_eyebrow", "right_eyebrow", "left_eye", "right_eye", "nose", "mouth", "jaw")
"""The regions that errors are given for, in the order of columns."""

LOW_FOUND = 0.9
"""Share of frames: a clip with the face found in fewer is named among the worst."""
LOW_CONFIDENCE = 0.7
"""A clip with a lower median confidence is named among the worst."""
HIGH_JITTER = 2.0
"""% of the eye distance a frame: about three times the most restless clip of the rendered sample (0.7)."""
SHORT = 10
"""Frames at 30 fps: the length of a segment; a shorter clip is made one only by repeating frames."""

_ANCHORS = (36, 45, 27)  # outer eye corners and the top of the nose: the points that expressions move least


# ------------------------------------------------------------------------------------------------ against the truth


def point_errors(table: pd.DataFrame, truth: GroundTruth) -> np.ndarray:
    """Return each point's error in the face's own axes, in the frames where the face was found.

    Parameters
    ----------
    table
        A rendered clip's landmarks in OpenFace's columns.
    truth
        What `load_truth` says of the clip.

    Returns
    -------
    complex128 (F, 68)
        F frames with success. In % of the true distance between the outer eye corners; the real part runs along the
        true eye line to the person's left, the imaginary part at a right angle to it, down the face. `abs` is the
        error's size; means of the complex numbers show constant shifts, as between two conventions of a brow line.
    """
    points, true, _ = _found_and_true(table, truth)
    x, y = np.moveaxis(points - true, -1, 0)
    across = true[:, 45] - true[:, 36]
    error = 100 * (x + 1j * y) / (across[:, 0] + 1j * across[:, 1])[:, None]  # dividing turns and scales at once
    return error[success_array(table)]


def region_means(errors: np.ndarray) -> pd.DataFrame:
    """Return the mean size of the errors (F, 68), complex or real, of each region: a row a frame, columns REGIONS."""
    return pd.DataFrame({name: np.abs(errors[:, list(LANDMARK_GROUPS[name])]).mean(axis=1) for name in REGIONS})


def landmark_errors(table: pd.DataFrame, truth: GroundTruth) -> pd.DataFrame:
    """Return the error of each region in each frame where the face was found.

    Parameters
    ----------
    table
        A rendered clip's landmarks in OpenFace's columns.
    truth
        What `load_truth` says of the clip.

    Returns
    -------
    DataFrame
        float64, columns REGIONS: mean distance of the region's points from the true ones, in % of the true distance
        between the outer eye corners. The index is the frame's row in `table`; frames without a face are left out.
    """
    return region_means(point_errors(table, truth)).set_index(np.flatnonzero(success_array(table)))


def _found_and_true(table: pd.DataFrame, truth: GroundTruth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return found and true points, float64 (T, 68, 2) px each, and the truth's row of each frame."""
    rows = truth.rows_at(table["timestamp"].to_numpy())
    return landmark_array(table).astype(float), truth.landmarks[rows].astype(float), rows


def _shaking(table: pd.DataFrame, truth: GroundTruth) -> np.ndarray:
    """Return by how many px the points' errors change from the frame before, on average: float64 (T,).

    NaN where either frame has no face, and where both show the same stored picture (nothing can shake there).
    """
    points, true, rows = _found_and_true(table, truth)
    change = np.linalg.norm(np.diff(points - true, axis=0), axis=2).mean(axis=1)
    seen = success_array(table)
    change[~(seen[1:] & seen[:-1]) | (np.diff(rows) == 0)] = np.nan
    return np.concatenate([[np.nan], change])


# ---------------------------------------------------------------------------------------------- backends compared


_INSTALL = {
    "dlib": 'Run pip install -e ".[dlib]"',
    "openface": "Install OpenFace 2.2 and name its FeatureExtraction by OPENFACE_BIN, or run microx landmarks import",
}
"""Backend -> how to get it."""


def installed_backends(*, cache: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Return {backend: ""} where a landmark backend can be used here, else {backend: what it lacks}.

    The backend "openface" counts as usable where OpenFace's program is found, or with at least one imported table
    (whether every clip has one shows only when they are asked for). `cache` is the folder looked in for tables, in
    place of data/processed.
    """
    reasons = {"litert": "", "openface": _openface_problem(cache), "dlib": dlib_problem()}
    return {backend: reasons[backend] for backend in BACKENDS}


def _openface_problem(cache: str | os.PathLike[str] | None) -> str:
    kept = Path(paths.PROCESSED if cache is None else cache) / "landmarks" / "openface"
    if any(kept.glob("*.csv")):
        return ""
    try:
        found = openface.find_program() is not None
    except DataError as error:  # the environment names a program that isn't there
        return f"{error.path}: {error.problem}"
    return "" if found else "no OpenFace found here and no imported tables of its landmarks"


def check_usable(backends: Sequence[str], *, cache: str | os.PathLike[str] | None = None) -> None:
    """Raise DataError for a landmark backend that can't be used here (see `installed_backends`)."""
    reasons = installed_backends(cache=cache)
    for backend in backends:
        if reasons[check_backend(backend)]:
            there = [name for name, reason in reasons.items() if not reason]
            raise DataError(f"landmark backend {backend}", reasons[backend], f"{_INSTALL[backend]}; here is {there}.")


def compare_backends(
    clips: pd.DataFrame,
    backends: Sequence[str],
    *,
    truth_folder: str | os.PathLike[str],
    common: bool = False,
    jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Compare landmark backends on rendered clips with their ground truth.

    Every figure is a mean over people of the mean over a person's frames, so that who has more clips does not count
    more. Speed is not in the table: landmarks come from a cache, so a time taken here would say whether a table was
    there already; benchmarks/landmarks.py times them.

    Parameters
    ----------
    clips
        A clip table; `path`, `condition` and `split_group` (the person) are used.
    backends
        Names among `backends.BACKENDS`.
    truth_folder
        The sample's folder, with its truth file.
    common
        Judge errors and jitter by the frames that ALL backends found. By default each backend is judged by the frames
        it found itself, which flatters one that finds only the easy ones; compare both ways under a mask.
    jobs
        Processes; None is one for each processor.
    cache
        Folder to keep tables in, in place of data/processed.

    Returns
    -------
    DataFrame
        One row a backend and condition: `backend`, `condition`, `clips` (how many had landmarks; a backend of imported
        tables may lack some, or all), `people`, `found` (share of frames with success, 0-1), then the errors of REGIONS
        in % of the outer-eye-corner distance, and `jitter` in px: by how much the points' errors change from one stored
        frame to the next, which is the points' motion less the true motion (the stored truth itself is rounded to
        1/16 px, which adds about 0.03). NaN where no frame counts. Under a mask the truth is that of the face beneath.

    Raises
    ------
    DataError
        A backend is not usable here (see `installed_backends`), or a clip has no ground truth in the folder.
    ValueError
        Unknown backend.
    """
    check_usable(backends, cache=cache)
    backends = list(dict.fromkeys(backends))
    files = [str(path) for path in clips["path"]]
    calls = []
    for backend in backends:
        problems = problems_ahead(files, backend=backend, jobs=jobs, cache=cache)
        calls += [(file, backend, str(truth_folder), cache, bad) for file, bad in zip(files, problems, strict=True)]
    measured = run_parallel(_measure_clip, calls, desc="comparing landmarks", jobs=jobs)
    frames = []
    about = clips[["path", "condition", "split_group"]].astype({"path": str}).to_dict("records")
    for k, table in enumerate(measured):
        if table is not None:
            clip = about[k % len(about)]
            labels = {"backend": backends[k // len(about)], "clip": k % len(about), "row": table.index}
            frames.append(table.assign(**labels, condition=clip["condition"], person=clip["split_group"]))
    groups, values = ["backend", "condition"], ["found", *REGIONS, "jitter"]
    rows = pd.MultiIndex.from_product([backends, clips["condition"].unique()], names=groups)
    if not frames:
        nothing = pd.DataFrame(np.nan, index=rows, columns=values).reset_index()
        return nothing.assign(clips=0, people=0)[[*groups, "clips", "people", *values]]
    each = pd.concat(frames, ignore_index=True)
    if common:
        by_all = each.groupby(["clip", "row"])["found"].transform("sum") == len(backends)
        each.loc[~by_all, [*REGIONS, "jitter"]] = np.nan
    means = each.groupby([*groups, "person"])[values].mean().groupby(groups).mean()
    counts = each.groupby(groups).agg(clips=("clip", "nunique"), people=("person", "nunique"))
    result = counts.reindex(rows, fill_value=0).join(means)
    return result.reset_index()


def _measure_clip(path: str, backend: str, truth_folder: str, cache: Any, problem: str) -> pd.DataFrame | None:
    """Return found, errors and jitter of each frame at 30 fps; None where a backend has nothing for the clip."""
    truth = load_truth(path, folder=truth_folder)
    if problem:
        return None
    try:
        table = clip_landmarks(path, backend=backend, cache=cache)
    except DataError:
        return None
    frames = landmark_errors(table, truth).reindex(range(len(table)))
    frames.insert(0, "found", success_array(table).astype(float))
    return frames.assign(jitter=_shaking(table, truth))


def action_unit_correlations(
    tables: pd.DataFrame | Sequence[pd.DataFrame],
    truths: GroundTruth | Sequence[GroundTruth],
    *,
    people: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Correlate OpenFace's action-unit intensities with the true ones of rendered clips, frame by frame.

    A person's frames of all clips are taken together, correlated (Pearson), and the correlations of people averaged:
    what a face looks like at rest shifts OpenFace's intensities, and is not what is asked. Of one-sided units the mean
    of both sides is added to the two-sided one's intensity; AU45 is compared with the blink.

    Parameters
    ----------
    tables
        One table a clip with columns AU01_r and so on (0-5), or a single table.
    truths
        The ground truth of each clip.
    people
        Who is in each clip; by default one and the same person in all.

    Returns
    -------
    DataFrame
        One row an action unit that the tables have and the truth knows, in order: `action_unit` ("AU12"),
        `correlation` (NaN where the truth or the estimate never changes), `n` (frames with a face, of the people
        counted), `people` (with a correlation). No row if the tables have no action units, as those of other backends.

    Raises
    ------
    ValueError
        Not as many truths or people as tables.
    """
    tables = [tables] if isinstance(tables, pd.DataFrame) else list(tables)
    truths = [truths] if isinstance(truths, GroundTruth) else list(truths)
    names = ["" for _ in tables] if people is None else list(people)
    if not len(tables) == len(truths) == len(names):
        raise ValueError(f"{len(tables)} tables, {len(truths)} truths and {len(names)} people: give one of each a clip")
    parts = []
    for table, truth, person in zip(tables, truths, names, strict=True):
        seen = success_array(table)
        found = action_units(table)[seen]
        found = found.set_axis(found.columns.str.removesuffix("_r"), axis=1).reset_index(drop=True)
        true = _true_units(truth)[truth.rows_at(table["timestamp"].to_numpy()[seen])]
        true_table = pd.DataFrame(true, columns=_unit_names(truth))
        units = [name for name in found.columns if name in true_table.columns]
        long = found[units].melt(var_name="action_unit", value_name="found")
        parts.append(long.assign(true=true_table[units].melt()["value"], person=person))
    each = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["action_unit"])
    rows = []
    for unit, of_unit in each.groupby("action_unit"):
        by_person = [
            (np.corrcoef(frames["found"], frames["true"])[0, 1], len(frames))
            for _, frames in of_unit.groupby("person")
            if frames["found"].std() > 0 and frames["true"].std() > 0
        ]
        mean = float(np.mean([value for value, _ in by_person])) if by_person else np.nan
        rows.append((unit, mean, sum(count for _, count in by_person), len(by_person)))
    return pd.DataFrame(rows, columns=["action_unit", "correlation", "n", "people"])


def _unit_names(truth: GroundTruth) -> list[str]:
    return [name for name in truth.names if name[-1] not in "LR"] + ["AU45"]


def _true_units(truth: GroundTruth) -> np.ndarray:
    """Return the true intensities of `_unit_names`, float (T, units): both sides in one, and the blink."""
    total = {name: truth.action_units[:, k].astype(float) for k, name in enumerate(truth.names) if name[-1] not in "LR"}
    for k, name in enumerate(truth.names):
        if name[-1] in "LR":
            total[name[:-1]] = total[name[:-1]] + truth.action_units[:, k] / 2
    return np.stack([*total.values(), truth.blink], axis=1)


# ------------------------------------------------------------------------------------------- clip by clip, no truth


def clip_quality(
    clips: pd.DataFrame,
    *,
    backend: str | None = None,
    jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Return a report on the clips of any corpus: what was recorded, and how well the face was followed.

    Parameters
    ----------
    clips
        A clip table; `clip_id`, `corpus` and `path` are used.
    backend
        One of `backends.BACKENDS`; None is `chosen_backend`.
    jobs
        Processes; None is one for each processor.
    cache
        Folder to keep landmarks in, in place of data/processed.

    Returns
    -------
    DataFrame
        One row a clip, in the order of `clips`:

        clip_id, corpus
            As in the clip table.
        stored_fps, stored_frames, seconds, width, height
            The video as stored: average rate, number of frames, duration, size in px. NaN or 0 if it can't be read.
        frames
            At 30 fps, as everything later sees the clip; 0 if it can't be read.
        found
            Share of those frames with a face, 0-1.
        confidence
            The backend's score, 0-1, median over frames with a face. Scores of different backends don't compare.
        eye_distance
            Between the outer eye corners in px, median over frames with a face.
        jitter
            How much the steadiest points shake. In each frame with a face: the outer eye corners and the top of the
            nose (points 36, 45, 27), less their mean, which takes out the face's translation. From one stored frame
            to the next: the mean distance that these three move, in % of eye_distance. The median over such pairs is
            given. Turning and nodding heads and blinks add to it, so it is noise only where the head is still.
        problem
            "" or why the clip can't be used: what is wrong with the file, or that no face is in it.

        NaN where there is nothing to measure. A bad clip has a problem, and never stops the report.

    Raises
    ------
    DataError
        The backend is not usable here.
    ValueError
        Unknown backend.
    """
    backend = chosen_backend() if backend is None else backend
    check_usable([backend], cache=cache)
    files = [str(path) for path in clips["path"]]
    problems = problems_ahead(files, backend=backend, jobs=jobs, cache=cache)
    calls = [(file, backend, cache, problem) for file, problem in zip(files, problems, strict=True)]
    rows = run_parallel(_clip_row, calls, desc="looking at clips", jobs=jobs)
    report = pd.DataFrame(rows, columns=list(_EMPTY_ROW))
    report.insert(0, "corpus", clips["corpus"].to_numpy())
    report.insert(0, "clip_id", clips["clip_id"].to_numpy())
    return report


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


def _clip_row(path: str, backend: str, cache: Any, problem: str) -> dict[str, Any]:
    """Return a clip's row of the report, without its name."""
    row = dict(_EMPTY_ROW)
    try:
        info = probe_video(path)
        row |= {"stored_fps": info.fps, "stored_frames": info.frames, "seconds": info.seconds}
        row |= {"width": info.width, "height": info.height}
        if problem:
            return row | {"problem": problem}
        table = clip_landmarks(path, backend=backend, cache=cache)
    except DataError as error:
        return row | {"problem": error.problem}
    except (ValueError, OSError, cv2.error) as error:  # a part that leaves the picture, a file that may not be read
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
    """Return the median movement in px of the steady points, translation taken out; NaN without two frames."""
    steady = points[:, list(_ANCHORS)]
    steady = steady - steady.mean(axis=1, keepdims=True)
    moved = np.linalg.norm(np.diff(steady, axis=0), axis=2).mean(axis=1)
    # which stored frame each one shows, at a constant rate: repeats of a picture would hide the jitter at low rates
    shown = np.ceil(np.arange(len(points)) / FPS * stored_fps - 0.5 - 1e-3)
    counted = seen[1:] & seen[:-1] & (np.diff(shown) > 0)
    return float(np.median(moved[counted])) if counted.any() else np.nan


def worst_clips(quality: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the n worst clips of a report of `clip_quality`, with the reason why each is called so.

    In this order: clips that can't be used; the face found in less than LOW_FOUND of the frames, the fewest first;
    median confidence below LOW_CONFIDENCE; jitter above HIGH_JITTER, the most first; shorter than SHORT frames. If
    there are fewer than n of those, the clips with the most jitter follow, and their reason says that nothing is wrong
    with them. Equals are in the order of clip_id, so that the list is the same every time.

    Returns
    -------
    DataFrame
        The report's columns with `reason` after `clip_id`; at most n rows, the worst first.
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
    """Return the kind of fault (the worst is 0), how bad it is (the worst is least), and the reason in words."""
    if clip["problem"]:
        return 0, 0.0, str(clip["problem"])
    if clip["found"] < LOW_FOUND:
        return 1, float(clip["found"]), f"face found in {_percent(clip['found'])} of the frames"
    if clip["confidence"] < LOW_CONFIDENCE:
        return 2, float(clip["confidence"]), f"median confidence {clip['confidence']:.2f}"
    if clip["jitter"] > HIGH_JITTER:
        return 3, -float(clip["jitter"]), f"jitter of {clip['jitter']:.1f} % of the eye distance a frame"
    if clip["frames"] < SHORT:
        return 4, float(clip["frames"]), f"very short: {clip['frames']} frames"
    jitter = float(clip["jitter"])
    if not np.isfinite(jitter):
        return 6, 0.0, "nothing wrong"
    return 5, -jitter, f"nothing wrong; jitter of {jitter:.2f} % of the eye distance a frame"


def _percent(share: float) -> str:
    """Return a share below 1 in per cent, never rounded up to 100.

    >>> _percent(0.5), _percent(0.9999)
    ('50 %', '99 %')
    """
    return f"{int(100 * share + 1e-9)} %"
