"""Segments of ten frames, and their division into training, validation and test (paper, sections III.B and V)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from microx_utils.components import COMPONENTS

SPLIT_NAMES = ("train", "validation", "test")
SPLIT_RULES = ("subject", "clip", "segment")
"""Whose segments stay together in one split."""
SHORT_CLIPS = ("drop", "repeat")
"""A clip with fewer frames than a segment is left out, or its frames are repeated (paper, section VII)."""


def make_segments(
    clips: pd.DataFrame,
    *,
    length: int = 10,
    step: int = 10,
    max_segments: int | None = None,
    short_clips: str = "drop",
    available: NDArray[np.bool_] | None = None,
    min_available: float = 0.5,
) -> pd.DataFrame:
    """Cut each clip into windows of consecutive frames (paper, section III.B: groups of ten).

    Parameters
    ----------
    clips
        `CropStore.clips`.
    length, step
        Frames per segment, and frames from one segment's start to the next. With step < length segments overlap.
    max_segments
        Keep at most this many segments from the start of a clip (the authors' code: four); None or 0 keeps all.
    short_clips
        "drop" leaves out a clip shorter than `length`. "repeat" makes one segment of it, whose `frames` is smaller than
        its `length`; see `frame_numbers`.
    available, min_available
        With `CropStore.available`, segments are left out in which the face was found in less than this share of the
        frames. Crops of frames without a face are black, or cut by the last landmarks seen.

    Returns
    -------
    DataFrame
        segment_id, clip_id, corpus, subject, emotion, split_group, condition, first (row in the store), length,
        frames (rows of the store: `length`, or fewer where frames are repeated). Frames left over at a clip's end are
        not used.

    Raises
    ------
    ValueError
        length or step is below one, `short_clips` is unknown, or no clip is long enough.
    """
    if short_clips not in SHORT_CLIPS:
        raise ValueError(f"short_clips is {short_clips!r}; choose from {SHORT_CLIPS}")
    if length < 1 or step < 1:
        raise ValueError(f"length and step must be at least 1, got {length} and {step}")
    counts = np.maximum((clips["frames"].to_numpy() - length) // step + 1, 0)
    if max_segments:
        counts = np.minimum(counts, max_segments)
    if short_clips == "repeat":
        counts = np.maximum(counts, 1)
    if counts.sum() == 0:
        longest = int(clips["frames"].max()) if len(clips) else 0
        raise ValueError(f"no clip has {length} frames; the longest has {longest}. Use a shorter segment.")
    keep = ["clip_id", "corpus", "subject", "emotion", "split_group", "condition"]
    rows = clips.loc[clips.index.repeat(counts), [*keep, "first", "frames"]].reset_index(drop=True)
    number = np.concatenate([np.arange(count) for count in counts])
    rows["first"] = rows["first"] + number * step
    rows["length"] = length
    rows["frames"] = np.minimum(rows.pop("frames"), length)
    names = [f"{clip}#{k:02d}" for clip, k in zip(rows["clip_id"], number, strict=True)]
    rows.insert(0, "segment_id", names)
    if available is not None:
        found = np.concatenate([[0], np.cumsum(available[:, COMPONENTS.index("full_face")])])
        first, frames = rows["first"].to_numpy(), rows["frames"].to_numpy()
        seen = (found[first + frames] - found[first]) >= min_available * frames
        rows = rows[seen].reset_index(drop=True)
    return rows


def frame_numbers(first: int, frames: int, length: int) -> NDArray[np.intp]:
    """Return the store's rows of one segment: `length` of them. If it has fewer `frames`, they are repeated evenly.

    >>> frame_numbers(100, 3, 6).tolist()
    [100, 100, 101, 101, 102, 102]
    """
    return first + np.arange(length) * frames // length


def split_segments(
    segments: pd.DataFrame, *, by: str = "subject", test: float = 0.2, validation: float = 0.2, seed: int = 0
) -> pd.Series:
    """Divide segments into train, validation and test, stratified by emotion.

    Parameters
    ----------
    segments
        The table of `make_segments`.
    by
        Whose segments stay together: those of a "subject" (speaker-independent, the default) or of a "clip". With
        "segment" neighbouring segments of one clip are in train and in test, as in the authors' code.
    test
        Share of all segments that is tested.
    validation
        Share of the remaining segments that is held out of training, by the same rule. If the remaining groups are too
        few for this share, but at least three, one group is held out (of IEMOCAP's five sessions, for example).
    seed
        Seed of the division.

    Returns
    -------
    Series
        "train", "validation" or "test" for each row of `segments`, with the same index.

    Raises
    ------
    ValueError
        `by` is unknown, a share is not above 0 and at most 0.5, or there are too few groups for the shares.
    """
    if by not in SPLIT_RULES:
        raise ValueError(f"unknown split rule {by!r}; choose from {SPLIT_RULES}")
    column = {"subject": "split_group", "clip": "clip_id", "segment": "segment_id"}[by]
    groups = segments[column].to_numpy()
    labels = segments["emotion"].to_numpy()
    result = np.full(len(segments), "train", dtype=object)
    rest = np.arange(len(segments))
    for name, share in (("test", test), ("validation", validation)):
        if not 0 < share <= 0.5:
            raise ValueError(f"a share must be above 0 and at most 0.5, got {share} for {name} {by}s")
        folds, remaining = round(1 / share), len(np.unique(groups[rest]))
        if name == "validation":
            folds = min(folds, max(remaining, 3))
        if remaining < folds:
            raise ValueError(f"{remaining} groups are too few for {folds} folds of {name} {by}s; use more data")
        if by == "segment":
            divisions = StratifiedKFold(folds, shuffle=True, random_state=seed).split(rest, labels[rest])
        else:
            grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            divisions = grouped.split(rest, labels[rest], groups[rest])
        _, held_out = next(divisions)
        result[rest[held_out]] = name
        rest = np.delete(rest, held_out)
    return pd.Series(result, index=segments.index, name="split")
