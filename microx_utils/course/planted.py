"""Crops and segments as four colleagues left them, each with one fault planted: the labs of notebook 14.

Whoever wants to find the faults should stop reading here. The labs are named by letters, so that a notebook that calls
them doesn't give them away. All of them use the middle of each clip, where the expression is, held in memory: a learner
changes copies of it. Stores are keyed by their crops, so a mended store is the same as one that was never spoilt, and
its answers are found in the cache.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils import training
from microx_utils.components import COMPONENTS, Style, crop_components
from microx_utils.course.scores import score_table
from microx_utils.crops import CropStore
from microx_utils.evaluation import paired_difference
from microx_utils.experiments import Experiment
from microx_utils.landmarks import (
    REQUIRED_COLUMNS,
    X_COLUMNS,
    Y_COLUMNS,
    chosen_tracker,
    clip_landmarks,
    landmark_array,
)
from microx_utils.segments import make_segments, split_segments
from microx_utils.support import paths
from microx_utils.support.parallel import run_parallel
from microx_utils.training import Run
from microx_utils.video import iter_frames

FRAMES = 20
"""Frames of each clip's middle: two segments."""

EYES = [COMPONENTS.index("left_eye"), COMPONENTS.index("right_eye")]
"""Their places among the components."""


@dataclass(frozen=True)
class Case:
    """What a colleague left.

    Attributes
    ----------
    store
        Crops; `store.clips` has each clip's `start` too, the frame of the video at 30 fps that is its first row.
    segments
        The table of `make_segments` and split.
    landmarks
        What the crops were cut by, where the colleague left it: clip_id and OpenFace's columns, a row for each frame.
    """

    store: CropStore
    segments: pd.DataFrame
    landmarks: pd.DataFrame | None = None


def excerpt(store: CropStore, *, frames: int = FRAMES) -> CropStore:
    """Return the middle `frames` of each clip of a store, copied into memory; shorter clips are kept whole."""
    count = np.minimum(store.clips["frames"].to_numpy(), frames)
    start = (store.clips["frames"].to_numpy() - count) // 2
    rows = np.concatenate([np.arange(n) + k for n, k in zip(count, store.clips["first"] + start, strict=True)])
    clips = store.clips.assign(first=np.cumsum(count) - count, frames=count, start=start)
    return with_crops(replace(store, available=store.available[rows], clips=clips), store.crops[rows])


def with_crops(store: CropStore, crops: Any) -> Any:
    """Return a store with other crops, uint8 (frames, 7, size, size, 3), RGB, and the key that belongs to them.

    While a learner's answer is still `...`, so is what is made of it, here and in the functions below.
    """
    if crops is ...:
        return ...
    if crops.dtype != np.uint8 or crops.shape != (len(store.available), *store.crops.shape[1:]):
        raise ValueError(f"crops are {crops.dtype} {crops.shape}; wanted uint8 like the store's, one for each frame")
    return replace(store, crops=crops, key=hashlib.sha256(np.ascontiguousarray(crops).data).hexdigest()[:16])


def only_clips(store: CropStore, clip_ids: Iterable[str]) -> CropStore:
    """Return the clips of those names alone, as a store."""
    clips = store.clips[store.clips["clip_id"].isin(set(clip_ids))].reset_index(drop=True)
    rows = frame_rows(clips)
    clips["first"] = clips["frames"].cumsum() - clips["frames"]
    return with_crops(replace(store, available=store.available[rows], clips=clips), store.crops[rows])


def frame_rows(clips: pd.DataFrame) -> NDArray[np.intp]:
    """Return the rows of a store that belong to some of its clips, or segments."""
    return np.concatenate([np.arange(n) + k for k, n in zip(clips["first"], clips["frames"], strict=True)])


def honest_segments(store: CropStore, *, seed: int) -> pd.DataFrame:
    """Return a store's segments of ten frames, which don't overlap, and their split by subject."""
    segments = make_segments(store.clips, available=store.available)
    return segments.assign(split=split_segments(segments, by="subject", seed=seed))


def lab_a(store: CropStore, *, seed: int) -> Case:
    """Plant a leak: windows that overlap by half, divided at random.

    The people of the honest test set are kept out, as "later": the colleague recorded them after the training.
    """
    honest = honest_segments(store, seed=seed)
    later = honest[honest["split"] == "test"].assign(split="later")
    windows = make_segments(store.clips, step=5, available=store.available)
    windows = windows[~windows["split_group"].isin(later["split_group"])].reset_index(drop=True)
    windows["split"] = split_segments(windows, by="segment", seed=seed)
    return Case(store, pd.concat([windows, later], ignore_index=True))


def new_people(store: CropStore, *, seed: int) -> CropStore:
    """Return the clips of the test people alone, whom a network trained on `honest_segments` doesn't know."""
    honest = honest_segments(store, seed=seed)
    return only_clips(store, honest.loc[honest["split"] == "test", "clip_id"])


def lab_b(store: CropStore, *, seed: int) -> Case:
    """Plant exchanged eyes: crops of new people, cut by a script that names the sides as the viewer does."""
    theirs = new_people(store, seed=seed)
    crops = theirs.crops.copy()
    crops[:, EYES] = theirs.crops[:, EYES[::-1]]
    return Case(with_crops(theirs, crops), _tested(theirs))


def lab_c(store: CropStore, *, seed: int) -> Case:
    """Plant landmarks that stand still: in three of four clips of new people they are the last ones of another clip.

    So behaves a tracker that hangs when a file begins, and goes on reporting what it found last.
    """
    theirs = new_people(store, seed=seed)
    clips, size = theirs.clips, theirs.crops.shape[2]
    order = np.random.default_rng(seed).permutation(len(clips))  # in which the tracker took the files
    where = _where(clips)
    tables = run_parallel(_landmarks, [(*call, chosen_tracker(), paths.PROCESSED) for call in where], desc="landmarks")
    columns = [*X_COLUMNS, *Y_COLUMNS]
    for place, k in enumerate(order):
        if place % 4:
            tables[k].loc[:, columns] = tables[order[place - place % 4]][columns].iloc[-1].to_numpy()
            tables[k].loc[:, "success"] = 1
    still = np.sort(order[np.arange(len(order)) % 4 > 0])
    cuts = [(*where[k], landmark_array(tables[k]), size, theirs.style) for k in still]
    crops = theirs.crops.copy()
    crops[frame_rows(clips.iloc[still])] = np.concatenate(run_parallel(_cut, cuts, desc="cropping components"))
    named = dict(zip(clips["clip_id"], tables, strict=True))
    landmarks: pd.DataFrame = pd.concat(named, names=["clip_id", "row"]).copy()
    landmarks = landmarks.reset_index("clip_id").reset_index(drop=True)
    return Case(with_crops(theirs, crops), _tested(theirs), landmarks)


def clips_to_show(case: Case, *, seed: int, each: int = 3) -> pd.DataFrame:
    """Return rows of a lab's clips to look at: up to `each` whose landmarks stand still, as many others."""
    if case.landmarks is None:
        raise ValueError("this lab's colleague left no landmarks; give the case of lab_c")
    moves = case.landmarks.groupby("clip_id")["x_30"].agg(np.ptp)
    clips = case.store.clips.sample(frac=1, random_state=seed)
    return clips.groupby(clips["clip_id"].map(moves) > 0).head(each).sort_index()


def recrop(store: CropStore, clip_ids: Any) -> Any:
    """Return a store in which the clips of those names are cropped anew, by landmarks of their own."""
    if clip_ids is ...:
        return ...
    chosen = store.clips[store.clips["clip_id"].isin(set(clip_ids))]
    if chosen.empty:
        return store
    size, tracker = store.crops.shape[2], chosen_tracker()
    calls = [(*call, tracker, paths.PROCESSED, size, store.style) for call in _where(chosen)]
    crops = store.crops.copy()
    crops[frame_rows(chosen)] = np.concatenate(run_parallel(_cut_anew, calls, desc="cropping components"))
    return with_crops(store, crops)


def lab_d(store: CropStore, *, seed: int) -> Case:
    """Plant a class that fills the data: a window for every second frame of its clips, one segment of all others'."""
    honest = honest_segments(store, seed=seed)
    common = honest["emotion"].mode()[0]
    many = make_segments(store.clips, step=2, available=store.available).query("emotion == @common")
    side = honest.drop_duplicates("split_group").set_index("split_group")["split"]
    one = honest[honest["emotion"] != common].drop_duplicates("clip_id")
    segments = pd.concat([many.assign(split=many["split_group"].map(side)), one], ignore_index=True)
    return Case(store, segments)


def retrained(experiment: Experiment, store: CropStore, segments: Any) -> Any:
    """Return the test predictions of a network trained on segments that a learner mended."""
    return ... if segments is ... else training.train(experiment, store, segments).predictions.query("split == 'test'")


def answers_of(run: Run, store: Any, segments: pd.DataFrame) -> Any:
    """Return a trained network's predictions for a store that a learner mended."""
    return ... if store is ... else training.predict(run, store, segments)


def scores(tables: Mapping[str, Any], *, samples: int, seed: int) -> pd.DataFrame:
    """Return the `score_table` of predictions that are there."""
    return score_table({name: table for name, table in tables.items() if table is not ...}, samples=samples, seed=seed)


def change(before: pd.DataFrame, after: Any, *, samples: int, seed: int) -> pd.DataFrame:
    """Return by how much accuracy and UAR differ on the same people, with paired 95 % intervals."""
    rows = {}
    for metric in () if after is ... else ("accuracy", "uar"):
        rows[metric] = paired_difference(after, before, metric, samples=samples, seed=seed)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["after minus before", "low", "high"])


def _tested(store: CropStore) -> pd.DataFrame:
    return make_segments(store.clips, available=store.available).assign(split="test")


def _where(clips: pd.DataFrame) -> list[tuple[str, int, int]]:
    """Return each clip's video and which of its frames are used: the first, and how many."""
    return [(row["path"], int(row["start"]), int(row["frames"])) for row in clips.to_dict("records")]


def _landmarks(path: str, start: int, count: int, tracker: str, processed: Path) -> pd.DataFrame:
    table = clip_landmarks(path, tracker=tracker, cache=processed)
    return table[list(REQUIRED_COLUMNS)].iloc[start : start + count]


def _cut(path: str, start: int, count: int, points: NDArray[np.float32], size: int, style: Style) -> NDArray[np.uint8]:
    """Return the crops of some frames of a video by the given points, whatever these show."""
    frames = (frame for _, frame in itertools.islice(iter_frames(path), start, start + count))
    cut = [crop_components(frame, p, size=size, style=style) for frame, p in zip(frames, points, strict=True)]
    return np.stack(cut)


def _cut_anew(
    path: str, start: int, count: int, tracker: str, processed: Path, size: int, style: Style
) -> NDArray[np.uint8]:
    """Return the crops of some frames of a video by its own landmarks."""
    points = landmark_array(_landmarks(path, start, count, tracker, processed))
    return _cut(path, start, count, points, size, style)
