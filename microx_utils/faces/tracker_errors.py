"""How far landmarks lie from the ground truth of rendered clips, and trackers compared by it.

Errors are in % of the distance between the outer eye corners (points 36 and 45), the usual measure of landmark
error (Sagonas et al. 2013), so that large and small faces count alike.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from microx_utils.components import LANDMARK_GROUPS
from microx_utils.faces.sample import load_truth
from microx_utils.faces.truth import GroundTruth
from microx_utils.landmarks import action_units, clip_landmarks, get_tracker, landmark_array, success_array
from microx_utils.support.errors import DataError
from microx_utils.support.parallel import run_parallel
from microx_utils.trackers.quality import check_usable

REGIONS = ("left_eyebrow", "right_eyebrow", "left_eye", "right_eye", "nose", "mouth", "jaw")
"""The regions that errors are given for, in the order of columns."""


def point_errors(table: pd.DataFrame, truth: GroundTruth) -> np.ndarray:
    """Return each point's error in the face's own axes, in the frames where the face was found.

    Parameters
    ----------
    table
        A rendered clip's landmarks in OpenFace's columns.
    truth
        The clip's ground truth, from `load_truth`.

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
    """Return each region's mean error size, one row per frame, columns REGIONS; errors are (F, 68), complex or real."""
    return pd.DataFrame({name: np.abs(errors[:, list(LANDMARK_GROUPS[name])]).mean(axis=1) for name in REGIONS})


def error_summary(
    errors: np.ndarray, people: Sequence[str] | np.ndarray, *, samples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return each region's mean error over people with its interval, split into a constant and a varying part.

    Every person counts the same, however many frames show them.

    Parameters
    ----------
    errors
        complex (F, 68), as `point_errors` returns them, of all clips.
    people
        Who is in each of the F frames.
    samples, seed
        Of the bootstrap, which draws people with replacement.

    Returns
    -------
    DataFrame
        One row per region of REGIONS, the smallest error first; in the unit of `errors`. Columns: mean, low and high
        (its 95 % interval), constant (the size of a person's mean error, the same shift in every frame) and varying
        (what is left without it).
    """
    names, which = np.unique(np.asarray(people), return_inverse=True)
    of_person = region_means(errors).groupby(which).mean()
    drawn = np.random.default_rng(seed).integers(len(names), size=(samples, len(names)))
    low, high = np.quantile(of_person.to_numpy()[drawn].mean(axis=1), [0.025, 0.975], axis=0)
    shifts = np.stack([errors[which == k].mean(axis=0) for k in range(len(names))])  # (people, 68)
    varying = region_means(errors - shifts[which]).groupby(which).mean().mean()
    columns = {"mean": of_person.mean(), "low": low, "high": high, "constant": region_means(shifts).mean()}
    return pd.DataFrame(columns | {"varying": varying}).sort_values("mean")


def landmark_errors(table: pd.DataFrame, truth: GroundTruth) -> pd.DataFrame:
    """Return the error of each region in each frame where the face was found.

    Parameters
    ----------
    table
        A rendered clip's landmarks in OpenFace's columns.
    truth
        The clip's ground truth, from `load_truth`.

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
    """Return the mean change of the points' errors from the previous frame, in px: float64 (T,).

    NaN where either frame has no face, and where both show the same stored picture.
    """
    points, true, rows = _found_and_true(table, truth)
    change = np.linalg.norm(np.diff(points - true, axis=0), axis=2).mean(axis=1)
    seen = success_array(table)
    change[~(seen[1:] & seen[:-1]) | (np.diff(rows) == 0)] = np.nan
    return np.concatenate([[np.nan], change])


def compare_trackers(
    clips: pd.DataFrame,
    trackers: Sequence[str],
    *,
    truth_folder: str | os.PathLike[str],
    common: bool = False,
    jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Compare landmark trackers on rendered clips with their ground truth.

    Every figure is a mean over people of the mean over a person's frames, so that people with more clips do not count
    more. Speed is not in the table: landmarks come from a cache, so a time taken here would only tell whether a table
    was cached; benchmarks/landmarks.py measures it.

    Parameters
    ----------
    clips
        A clip table; `path`, `condition` and `split_group` (the person) are used.
    trackers
        Names among `landmarks.TRACKERS`.
    truth_folder
        The sample's folder, with its truth file.
    common
        Measure errors and jitter on the frames in which ALL trackers found the face. By default each tracker is
        measured on the frames that it found itself, which flatters one that finds only the easy ones; compare both
        ways under a mask.
    jobs
        Number of processes; None is one per core.
    cache
        Folder of the cached tables, instead of data/processed.

    Returns
    -------
    DataFrame
        One row per tracker and condition: `tracker`, `condition`, `clips` (how many had landmarks; imported tables may
        lack some, or all), `people`, `found` (share of frames with success, 0-1), then the errors of REGIONS
        in % of the outer-eye-corner distance, and `jitter` in px: the change of the points' errors from one stored
        frame to the next, which is the points' motion minus the true motion (the stored truth is rounded to 1/16 px,
        which adds about 0.03). NaN where no frame counts. Under a mask the truth is that of the face beneath.

    Raises
    ------
    DataError
        A tracker is not usable here (see `installed_trackers`), or a clip has no ground truth in the folder.
    ValueError
        Unknown tracker.
    """
    check_usable(trackers, cache=cache)
    trackers = list(dict.fromkeys(trackers))
    files = [str(path) for path in clips["path"]]
    calls = []
    for tracker in trackers:
        problems = get_tracker(tracker).problems_ahead(files, jobs=jobs, cache=cache)
        calls += [(file, tracker, str(truth_folder), cache, bad) for file, bad in zip(files, problems, strict=True)]
    measured = run_parallel(_measure_clip, calls, desc="comparing landmarks", jobs=jobs)
    frames = []
    about = clips[["path", "condition", "split_group"]].astype({"path": str}).to_dict("records")
    for k, table in enumerate(measured):
        if table is not None:
            clip = about[k % len(about)]
            labels = {"tracker": trackers[k // len(about)], "clip": k % len(about), "row": table.index}
            frames.append(table.assign(**labels, condition=clip["condition"], person=clip["split_group"]))
    groups, values = ["tracker", "condition"], ["found", *REGIONS, "jitter"]
    rows = pd.MultiIndex.from_product([trackers, clips["condition"].unique()], names=groups)
    if not frames:
        nothing = pd.DataFrame(np.nan, index=rows, columns=values).reset_index()
        return nothing.assign(clips=0, people=0)[[*groups, "clips", "people", *values]]
    each = pd.concat(frames, ignore_index=True)
    if common:
        by_all = each.groupby(["clip", "row"])["found"].transform("sum") == len(trackers)
        each.loc[~by_all, [*REGIONS, "jitter"]] = np.nan
    means = each.groupby([*groups, "person"])[values].mean().groupby(groups).mean()
    counts = each.groupby(groups).agg(clips=("clip", "nunique"), people=("person", "nunique"))
    result = counts.reindex(rows, fill_value=0).join(means)
    return result.reset_index()


def _measure_clip(path: str, tracker: str, truth_folder: str, cache: Any, problem: str) -> pd.DataFrame | None:
    """Return found, errors and jitter of each frame at 30 fps; None if the tracker has no landmarks of the clip."""
    truth = load_truth(path, folder=truth_folder)
    if problem:
        return None
    try:
        table = clip_landmarks(path, tracker=tracker, cache=cache)
    except DataError:
        return None
    frames = landmark_errors(table, truth).reindex(range(len(table)))
    frames.insert(0, "found", success_array(table).astype(float))
    return frames.assign(jitter=_shaking(table, truth))


def action_unit_correlations(
    tables: Sequence[pd.DataFrame], truths: Sequence[GroundTruth], *, people: Sequence[str] | None = None
) -> pd.DataFrame:
    """Correlate OpenFace's action-unit intensities with the true ones of rendered clips, frame by frame.

    Frames are pooled over the clips of a person and correlated (Pearson); the correlations are then averaged over
    people, because a face's look at rest shifts OpenFace's intensities and is not what is measured. The mean of the
    two one-sided units is added to the intensity of the two-sided one; AU45 is compared with the blink.

    Parameters
    ----------
    tables
        One table per clip, with columns AU01_r and so on (0-5).
    truths
        The ground truth of each clip.
    people
        The person in each clip; by default the same person in all.

    Returns
    -------
    DataFrame
        One row per action unit that both tables and truth have, in order: `action_unit` ("AU12"), `correlation` (NaN
        where the truth or the estimate is constant), `n` (frames with a face, of the people counted), `people`
        (with a correlation). No row if the tables have no action units, as those of other trackers.

    Raises
    ------
    ValueError
        Not as many truths or people as tables.
    """
    names = [""] * len(tables) if people is None else list(people)
    if not len(tables) == len(truths) == len(names):
        problem = f"{len(tables)} tables, {len(truths)} truths and {len(names)} people"
        raise ValueError(f"{problem}: give one of each per clip")
    parts = []
    for table, truth, person in zip(tables, truths, names, strict=True):
        seen = success_array(table)
        found = action_units(table)[seen]
        found = found.set_axis(found.columns.str.removesuffix("_r"), axis=1).reset_index(drop=True)
        true = _true_units(truth).iloc[truth.rows_at(table["timestamp"].to_numpy()[seen])]
        units = [name for name in found.columns if name in true.columns]
        long = found[units].melt(var_name="action_unit", value_name="found")
        parts.append(long.assign(true=true[units].melt()["value"], person=person))
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


def _true_units(truth: GroundTruth) -> pd.DataFrame:
    """Return the true intensities, one row per frame: the mean of one-sided units added to both, and the blink."""
    table = pd.DataFrame(truth.action_units, columns=list(truth.names)).astype(float)
    one_sided = [name for name in truth.names if name[-1] in "LR"]
    total = table.drop(columns=one_sided)
    for name in one_sided:
        total[name[:-1]] += table[name] / 2
    return total.assign(AU45=truth.blink)
