"""What a network is fed: an experiment's segments of a crop store, their sides of the split, and batches of crops."""

from dataclasses import replace
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    import keras


CONTRAST = 0.3
"""Pixel values are multiplied by 1 - CONTRAST to 1 + CONTRAST, about each channel's mean over the segment."""
BRIGHTNESS = 30.0
"""Levels of 255 by which a segment is made lighter or darker at most."""
COLOUR = 0.12
"""Each colour channel is multiplied by 1 - COLOUR to 1 + COLOUR: another lamp."""
SHIFT = 2
"""Pixels by which a component's crops move at most, across and down: landmarks that sit a little elsewhere."""

MIRRORED = tuple(
    COMPONENTS.index(name.replace("left", "?").replace("right", "left").replace("?", "right")) for name in COMPONENTS
)
"""Place of the component that takes each one's place in a mirror: the left eye becomes the right."""


def augment(crops: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return segments as they might have been recorded: mirrored or not, in other light, moved by a pixel or two.

    All frames of a segment change alike, so that motion stays what it was. Emotions keep their labels: none of the
    changes moves a part of the face against another, and a mirrored face is as happy.

    Parameters
    ----------
    crops
        uint8 (B, frames, 7, size, size, 3), RGB, components in the order of `COMPONENTS`. Not changed.
    rng
        Decides everything; the same state gives the same result.

    Returns
    -------
    uint8, of the same shape.
    """
    changed = np.empty_like(crops)
    for before, after in zip(crops, changed, strict=True):
        segment = before[:, MIRRORED, :, ::-1] if rng.random() < 0.5 else before
        contrast, light = rng.uniform(1 - CONTRAST, 1 + CONTRAST), rng.uniform(-BRIGHTNESS, BRIGHTNESS)
        lamp = rng.uniform(1 - COLOUR, 1 + COLOUR, size=3)
        rows = np.ascontiguousarray(segment).reshape(-1, segment.shape[-2], 3)  # all crops under each other
        mean = np.array(cv2.mean(rows)[:3])
        levels = np.arange(256)[:, None]  # every level once, then a look-up: (256, 3)
        table = np.clip(((levels - mean) * contrast + mean + light) * lamp, 0, 255).round().astype(np.uint8)
        lit = cv2.LUT(rows, table[None]).reshape(segment.shape)
        places = np.arange(segment.shape[2])
        for k, shifts in enumerate(rng.integers(-SHIFT, SHIFT + 1, size=(len(COMPONENTS), 2))):
            down, across = (np.clip(places + shift, 0, places[-1]) for shift in shifts)
            after[:, k] = lit[:, k].take(down, axis=1).take(across, axis=2)  # beyond the crop its border is repeated
    return changed


def check_store(experiment: Experiment, store: CropStore) -> None:
    """Raise DataError unless the crops are of the experiment's size and style."""
    if store.crops.shape[2] != experiment.crop_size:
        found = f"its crops are {store.crops.shape[2]} px, the experiment wants {experiment.crop_size}"
        raise DataError(f"crop store {store.key}", found, "Make the store with the profile's crop_size.")
    if store.style != experiment.crop_style:
        found = f"its crops are {store.style!r}, the experiment wants {experiment.crop_style!r}"
        raise DataError(f"crop store {store.key}", found, "Make the store with the profile's crop_style.")


def segment_table(experiment: Experiment, store: CropStore) -> pd.DataFrame:
    """Return every segment of a store, cut as an experiment cuts them: the table of `make_segments`."""
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
    """Return the segments that a run uses: the table of `make_segments`, and split ("train", "validation", "test").

    Of people in `own`, those whom `own_people` names join the training side, in their plain takes; all others are
    left out. Who of BAUM stands on which side depends neither on them nor on the length of a segment, so that runs over
    10 and over 40 frames are tested on the same people.
    """
    segments = segment_table(experiment, store)
    own = segments["corpus"] == "own"
    if experiment.own_people == "none":
        if own.any():
            raise ValueError(f"experiment {experiment.name!r} trains on nobody in `own`, but the store holds them")
    elif not own.any():
        raise ValueError(f"experiment {experiment.name!r} trains on people in `own`, but the store holds none")
    people = sorted(segments.loc[own, "split_group"].unique())
    chosen = people[0 if experiment.own_people == "odd" else 1 :: 2]
    joining = segments[own & segments["split_group"].isin(chosen) & (segments["condition"] == "plain")]
    rest = segments[~own].reset_index(drop=True)
    rest["split"] = _sides(rest, experiment, store)
    return pd.concat([rest, joining.assign(split="train")], ignore_index=True)


def _sides(segments: pd.DataFrame, experiment: Experiment, store: CropStore) -> pd.Series:
    """Return each segment's side: that of its person, or of its clip, where all segments have ten frames."""
    if experiment.split == "segment":
        return split_segments(segments, by="segment", seed=experiment.seed)
    usual = segment_table(replace(experiment, frames=10, step=10, short_clips="repeat"), store)
    usual = usual[usual["corpus"] != "own"]
    usual["split"] = split_segments(usual, by=experiment.split, seed=experiment.seed)
    group = "split_group" if experiment.split == "subject" else "clip_id"
    sides = segments[group].map(usual.drop_duplicates(group).set_index(group)["split"])
    if sides.isna().any():
        name = segments.loc[sides.isna(), group].iloc[0]
        raise ValueError(f"{name} has segments of {experiment.frames} frames, but none of ten frames to be divided by")
    return sides


def model_inputs(crops: NDArray[np.uint8], experiment: Experiment) -> dict[str, NDArray[np.uint8]]:
    """Return what an experiment's network is fed for some segments' crops.

    Parameters
    ----------
    crops
        uint8 (B, frames, 7, size, size, 3), RGB, components in the order of `COMPONENTS`.
    experiment
        Its components, colour and pixels are used.

    Returns
    -------
    dict
        block -> uint8 (B, frames, size, size, channels), 0-255. Three channels, blue first where `pixels` is "raw"; one
        where `colour` is "grey"; those of all its components, in their order, for a block that joins several.
    """
    inputs = {}
    for block in experiment.components:
        parts = [_coloured(crops[:, :, COMPONENTS.index(part)], experiment) for part in block_parts(block)]
        inputs[block_name(block)] = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    return inputs


def _coloured(crops: NDArray[np.uint8], experiment: Experiment) -> NDArray[np.uint8]:
    """Return crops (..., 3), RGB, with the channels that an experiment wants."""
    if experiment.colour == "grey":
        return to_grey(crops)[..., None]
    if experiment.colour == "grey_three":
        return np.repeat(to_grey(crops)[..., None], 3, axis=-1)
    return crops[..., ::-1] if experiment.pixels == "raw" else crops


def segment_crops(store: CropStore, segments: pd.DataFrame, length: int) -> NDArray[np.uint8]:
    """Return the crops of some segments (first, frames) of a store: uint8 (n, length, 7, size, size, 3), RGB."""
    spans = zip(segments["first"], segments["frames"], strict=True)
    return store.crops[np.stack([frame_numbers(first, frames, length) for first, frames in spans])]


def batches(
    segments: pd.DataFrame,
    store: CropStore,
    experiment: Experiment,
    *,
    size: int,
    change: np.random.Generator | None = None,
    hidden: dict[str, NDArray[np.uint8]] | None = None,
) -> "keras.utils.PyDataset":
    """Return a Keras dataset that copies each batch's crops from the memory map, in the order of `segments`.

    With `change`, crops are augmented; in place of `hidden` components, the given crop (size, size, 3) is shown.
    """
    import keras

    labels = segments["emotion"].map(EMOTIONS.index).to_numpy()
    seeds = change.integers(2**63, size=len(labels)) if change is not None else None

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return -(-len(labels) // size)

        def __getitem__(self, index: int) -> tuple[dict[str, NDArray[np.uint8]], NDArray[np.int64]]:
            chosen = slice(index * size, (index + 1) * size)
            crops = segment_crops(store, segments.iloc[chosen], experiment.frames)
            for component, crop in (hidden or {}).items():
                crops[:, :, COMPONENTS.index(component)] = crop
            if seeds is not None:  # by the batch's own number: Keras may ask for batches in any order
                crops = augment(crops, np.random.default_rng(seeds[chosen]))
            return model_inputs(crops, experiment), labels[chosen]

    return Batches()
