"""The mends of notebook 14: four labs, each with its fault. Whoever wants to find them should stop reading here."""

from typing import Any

import numpy as np
import pandas as pd

from microx_utils.checks.verdict import Verdict, check, right, wrong
from microx_utils.components import COMPONENTS
from microx_utils.course.planted import EYES, frame_rows
from microx_utils.crops import CropStore
from microx_utils.segments import SPLIT_NAMES

BALANCED = 1.5
"""The most segments of one class for each of another that still count as balanced."""


@check
def mended_a(given: Any) -> Verdict:
    """Check segments with their split: everyone in it, and nobody on two of its sides."""
    problem = _table_problem(given)
    if problem:
        return wrong(problem)
    if "later" in set(given["split"]):
        return wrong("The people recorded later still stand apart. Divide everyone.")
    for group, what in (("clip_id", "clips"), ("split_group", "people")):
        sides = given.groupby(group)["split"].agg(set)
        tested = int(sides.map({"train", "test"}.issubset).sum())
        if tested and what == "clips":
            return wrong(f"{tested} clips still have segments in training and in test: nearly the same pictures.")
        if tested:
            return wrong(f"No clip is on both sides now, but {tested} people are: it is still a test on known faces.")
        stopped = int(sides.map({"train", "validation"}.issubset).sum())
        if stopped:
            return wrong(
                f"The test is honest now, but {stopped} {what} are in training and in validation. The epoch is chosen "
                "on validation, so that choice still rewards memory."
            )
    return right("Nobody is on two sides. The score will be lower, and about people whom the network doesn't know.")


@check
def mended_b(given: Any, *, lab: CropStore, store: CropStore) -> Verdict:
    """Check this week's crops against those that were cut with the right sides.

    Parameters
    ----------
    given
        uint8 (frames, 7, size, size, 3), RGB.
    lab, store
        The colleague's crops, and the crops of all clips as they should be.
    """
    if getattr(given, "shape", None) != lab.crops.shape or given.dtype != np.uint8:
        found = f"{getattr(given, 'dtype', type(given).__name__)} {getattr(given, 'shape', '')}".strip()
        return wrong(f"crops is {found}; wanted uint8 {lab.crops.shape}, all frames and all components, as it was.")
    own = store.clips[store.clips["clip_id"].isin(lab.clips["clip_id"])]
    wanted = store.crops[frame_rows(own)]
    if np.array_equal(given, wanted):
        return right("Both eyes are where the network learned to look for them. Nothing else had changed.")
    if np.array_equal(given, lab.crops):
        return wrong("These are the crops as the colleague left them.")
    others = [k for k in range(len(COMPONENTS)) if k not in EYES]
    changed = [COMPONENTS[k] for k in others if not np.array_equal(given[:, k], wanted[:, k])]
    if changed:
        return wrong(f"Something else has changed too: {', '.join(changed)}. Put back only what was exchanged.")
    left, right_eye = (given[:, k] for k in EYES)
    if np.array_equal(left, right_eye):
        return wrong(
            "Both are the same eye now: the first assignment overwrote what the second one reads. Read both from the "
            "colleague's crops, or copy one first."
        )
    if np.array_equal(given[:, EYES], lab.crops[:, EYES, :, ::-1]):
        return wrong(
            "You mirrored each picture. Now a right eye looks like a left one, and is still in the left eye's place: "
            "in a wink or a one-sided smile the wrong side moves."
        )
    good = (given[:, EYES] == wanted[:, EYES]).all(axis=(1, 2, 3, 4))
    return wrong(f"The eyes are right in {good.sum():,} of {len(good):,} frames. All clips of this week are affected.")


@check
def mended_c(given: Any, *, landmarks: pd.DataFrame) -> Verdict:
    """Check the names of the clips whose landmarks never move; `landmarks` is the colleague's table."""
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        return wrong(f"still is a {type(given).__name__}; wanted the clip_id of each clip, in a list or an Index.")
    named, known = set(given), set(landmarks["clip_id"])
    if named - known:
        return wrong(f"{sorted(map(str, named - known))[0]!r} is not the clip_id of a clip.")
    points = landmarks.groupby("clip_id")[["x_30", "y_30"]]
    spread = points.max() - points.min()
    wanted = set(spread.index[(spread == 0).all(axis=1)])
    if named == wanted:
        return right(f"The landmarks of these {len(wanted)} clips don't move at all. No living face holds that still.")
    if not named:
        return wrong("No clip is named. Success and confidence are the tracker's word for it, and it noticed nothing.")
    extra, missing = named - wanted, wanted - named
    steps = landmarks.groupby("clip_id")["x_30"].diff()
    if named == set(landmarks.loc[steps == 0, "clip_id"]) and extra:
        return wrong(
            f"In {len(extra)} of your clips the point rests for a frame and then moves: a frame is shown twice where a "
            "video has fewer than 30 frames a second. Look at the whole clip."
        )
    if extra:
        return wrong(
            f"In {len(extra)} of your {len(named)} clips the point does move: a calm person, followed by a working "
            "tracker, still trembles by tenths of a pixel. How much is none at all?"
        )
    return wrong(f"These {len(named)} are right, and {len(missing)} more stand still.")


@check
def mended_d(given: Any, *, segments: pd.DataFrame) -> Verdict:
    """Check segments with their split: classes alike in training and validation, the test set as it was."""
    problem = _table_problem(given)
    if problem:
        return wrong(problem)
    tested = segments.loc[segments["split"] == "test", "segment_id"]
    if sorted(given.loc[given["split"] == "test", "segment_id"]) != sorted(tested):
        return wrong("The test set has changed, so before and after would not be measured on the same segments.")
    sides = segments.set_index("segment_id")["split"]
    if (given["segment_id"].map(sides) != given["split"]).any():
        return wrong("Some segments have moved to another side of the split, or are new. Choose among the old ones.")
    for side in ("train", "validation"):
        before = segments.loc[segments["split"] == side, "emotion"]
        counts = given.loc[given["split"] == side, "emotion"].value_counts().reindex(before.unique(), fill_value=0)
        if not counts.min():
            return wrong(f"In {side}, {counts.idxmin()} is gone. A network can't learn what it never sees.")
        if counts.max() > BALANCED * counts.min():
            often, seldom = counts.idxmax(), counts.idxmin()
            says = f"In {side} there are {counts.max()} segments of {often} and {counts.min()} of {seldom}."
            if side == "validation":
                says += " The epoch is chosen there: the one that says the common class most often would win."
            return wrong(says)
    return right("No class pays for another now. Expect accuracy to fall on the same test set, and UAR to rise.")


def _table_problem(given: Any) -> str:
    """Return what keeps an answer from being a table of segments with their split, or ""."""
    if not isinstance(given, pd.DataFrame):
        return f"mended is a {type(given).__name__}; wanted a table of segments with their split."
    missing = {"segment_id", "clip_id", "split_group", "emotion", "first", "split"} - set(given.columns)
    if missing:
        return f"The table lacks {sorted(missing)}; a run needs these columns."
    sides = set(given["split"].dropna())
    if given["split"].isna().any() or not sides <= {*SPLIT_NAMES, "later"}:
        return "The split of some segments is missing, or not one of train, validation and test."
    if not set(SPLIT_NAMES) <= sides:
        return f"There are no segments for {sorted(set(SPLIT_NAMES) - sides)}."
    return ""
