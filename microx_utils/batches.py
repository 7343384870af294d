"""What a network is trained on: an experiment's segments of a crop store, their split, and batches of their crops."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.components import COMPONENTS, block_name, block_parts, to_grey
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import EMOTIONS
from microx_utils.segments import frame_numbers, make_segments, split_segments
from microx_utils.support.errors import DataError

CONTRAST = 0.3
"""Contrast varies by a factor of 1 - CONTRAST to 1 + CONTRAST, around each channel's mean over the segment."""
BRIGHTNESS = 30.0
"""Levels (of 255) by which a segment is lightened or darkened at most."""
COLOUR = 0.12
"""Each colour channel is multiplied by 1 - COLOUR to 1 + COLOUR, as under another lamp."""
SHIFT = 2
"""Pixels by which a component's crops move at most in x and in y, as if its landmarks were slightly off."""

MIRRORED = tuple(
    COMPONENTS.index(name.replace("left", "?").replace("right", "left").replace("?", "right")) for name in COMPONENTS
)
"""Index of each component's mirror image: the left eye becomes the right eye."""


def augment(crops: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return segments as they could have been recorded: perhaps mirrored, in other light, moved by a pixel or two.

    All frames of a segment are changed in the same way, which preserves its motion. The label stays true: no change
    moves one part of the face relative to another, and a mirrored smile is still a smile.

    Parameters
    ----------
    crops
        uint8 (B, frames, 7, size, size, 3), RGB, components in the order of `COMPONENTS`. Left unchanged.
    rng
        The only source of randomness.

    Returns
    -------
    uint8, of the same shape
    """
    changed = np.empty_like(crops)
    for before, after in zip(crops, changed, strict=True):
        segment = before[:, MIRRORED, :, ::-1] if rng.random() < 0.5 else before
        contrast, light = rng.uniform(1 - CONTRAST, 1 + CONTRAST), rng.uniform(-BRIGHTNESS, BRIGHTNESS)
        lamp = rng.uniform(1 - COLOUR, 1 + COLOUR, size=3)
        rows = np.ascontiguousarray(segment).reshape(-1, segment.shape[-2], 3)  # all crops as one tall picture
        mean = np.array(cv2.mean(rows)[:3])
        levels = np.arange(256)[:, None]  # every level once, as a look-up table (256, 3)
        table = np.clip(((levels - mean) * contrast + mean + light) * lamp, 0, 255).round().astype(np.uint8)
        lit = cv2.LUT(rows, table[None]).reshape(segment.shape)
        places = np.arange(segment.shape[2])
        for k, shifts in enumerate(rng.integers(-SHIFT, SHIFT + 1, size=(len(COMPONENTS), 2))):
            down, across = (np.clip(places + shift, 0, places[-1]) for shift in shifts)
            after[:, k] = lit[:, k].take(down, axis=1).take(across, axis=2)  # the border is repeated
    return changed


def check_store(experiment: Experiment, store: CropStore) -> None:
    """Raise DataError unless the crops are of the experiment's size and style."""
    found, wanted = (store.crops.shape[2], store.style), (experiment.crop_size, experiment.crop_style)
    if found != wanted:
        problem = f"its crops are {found[0]} px {found[1]}, the experiment needs {wanted[0]} px {wanted[1]}"
        raise DataError(f"crop store {store.key}", problem, "Make the store with the experiment's crop_size and style.")


def segment_table(experiment: Experiment, store: CropStore) -> pd.DataFrame:
    """Return all segments of a store, cut as the experiment says: the table of `make_segments`."""
    return make_segments(
        store.clips,
        length=experiment.frames,
        step=experiment.step,
        max_segments=experiment.max_segments,
        short_clips=experiment.short_clips,
        available=store.available,
        min_available=experiment.min_available,
    )


def split_table(experiment: Experiment, store: CropStore) -> pd.DataFrame:
    """Return the segments that a run uses: the table of `make_segments` and split ("train", "validation", "test").

    Of the corpus `own`, the plain clips of the experiment's `own_people` are added to the training set, and all others
    are left out. The split of the other corpora depends neither on them nor on the length of a segment, so that runs
    over 10 and over 40 frames are tested on the same people.

    Raises
    ------
    ValueError
        The store holds own recordings and the experiment uses none, or the other way round; a subject or clip of the
        experiment has no segment of ten frames; or whatever `make_segments` and `split_segments` refuse.
    """
    segments = segment_table(experiment, store)
    own = segments["corpus"] == "own"
    if experiment.own_people == "none":
        if own.any():
            raise ValueError(f"experiment {experiment.name!r} uses no own recordings, but the store holds some")
    elif not own.any():
        raise ValueError(f"experiment {experiment.name!r} trains on own recordings, but the store holds none")
    people = sorted(segments.loc[own, "split_group"].unique())
    chosen = people[0 if experiment.own_people == "odd" else 1 :: 2]
    joining = segments[own & segments["split_group"].isin(chosen) & (segments["condition"] == "plain")]
    rest = segments[~own].reset_index(drop=True)
    rest["split"] = _sides(rest, experiment, store)
    return pd.concat([rest, joining.assign(split="train")], ignore_index=True)


def _sides(segments: pd.DataFrame, experiment: Experiment, store: CropStore) -> pd.Series:
    """Return each segment's split: that of its person or clip when all clips are cut into segments of ten frames."""
    if experiment.split == "segment":
        return split_segments(segments, by="segment", seed=experiment.seed)
    usual = segment_table(replace(experiment, frames=10, step=10, short_clips="repeat"), store)
    usual = usual[usual["corpus"] != "own"]
    usual["split"] = split_segments(usual, by=experiment.split, seed=experiment.seed)
    group = "split_group" if experiment.split == "subject" else "clip_id"
    sides = segments[group].map(usual.drop_duplicates(group).set_index(group)["split"])
    if sides.isna().any():
        name = segments.loc[sides.isna(), group].iloc[0]
        raise ValueError(f"{name} has segments of {experiment.frames} frames but none of ten, which decide the split")
    return sides


def model_inputs(crops: NDArray[np.uint8], experiment: Experiment) -> dict[str, NDArray[np.uint8]]:
    """Return the input of an experiment's network for the crops of some segments.

    Parameters
    ----------
    crops
        uint8 (B, frames, 7, size, size, 3), RGB, components in the order of `COMPONENTS`.
    experiment
        Its components, colour and pixels are used.

    Returns
    -------
    dict
        block -> uint8 (B, frames, size, size, channels), 0-255. Three channels (blue first if `pixels` is "raw") or, if
        `colour` is "grey", one. A block of several components has the channels of each, in their order.
    """
    inputs = {}
    for block in experiment.components:
        parts = [_coloured(crops[:, :, COMPONENTS.index(part)], experiment) for part in block_parts(block)]
        inputs[block_name(block)] = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    return inputs


def _coloured(crops: NDArray[np.uint8], experiment: Experiment) -> NDArray[np.uint8]:
    """Return crops (..., 3), RGB, with the experiment's channels."""
    if experiment.colour == "grey":
        return to_grey(crops)[..., None]
    if experiment.colour == "grey_three":
        return np.repeat(to_grey(crops)[..., None], 3, axis=-1)
    return crops[..., ::-1] if experiment.pixels == "raw" else crops


def segment_crops(store: CropStore, segments: pd.DataFrame, length: int) -> NDArray[np.uint8]:
    """Return the crops of some segments of a store: uint8 (n, length, 7, size, size, 3), RGB."""
    spans = zip(segments["first"], segments["frames"], strict=True)
    return store.crops[np.stack([frame_numbers(first, frames, length) for first, frames in spans])]


def batches(
    segments: pd.DataFrame,
    store: CropStore,
    experiment: Experiment,
    *,
    size: int,
    augment_by: np.random.Generator | None = None,
    hidden: Mapping[str, NDArray[np.uint8]] | None = None,
) -> Iterator[tuple[dict[str, NDArray[np.uint8]], NDArray[np.int64]]]:
    """Yield the `model_inputs` and class indices of `size` segments at a time, in order; the last may be fewer.

    With `augment_by` crops are augmented. In place of a `hidden` component, its given crop (size, size, 3) is shown.
    """
    labels = segments["emotion"].map(EMOTIONS.index).to_numpy()
    seeds = augment_by.integers(2**63, size=len(labels)) if augment_by is not None else None
    for first in range(0, len(labels), size):
        chosen = slice(first, first + size)
        crops = segment_crops(store, segments.iloc[chosen], experiment.frames)
        for component, crop in (hidden or {}).items():
            crops[:, :, COMPONENTS.index(component)] = crop
        if seeds is not None:
            crops = augment(crops, np.random.default_rng(seeds[chosen]))
        yield model_inputs(crops, experiment), labels[chosen]
