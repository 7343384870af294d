"""The inputs of Pan et al.'s `two_streams`: a clip in parts, with a face and the optical flow of each.

Separate from the network, so that the processes that read the videos need not load Keras.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.components import FULL_FACE, to_grey
from microx_utils.crops import CropStore, crop_clip
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.support.parallel import run_parallel

FLOW_SIZE = 64
"""Side of the faces between which the flow is computed, px; finer than what the network sees, for small motions."""

FLOW_SCALE = 32
"""The flow is kept as int8 in 1/32 px of FLOW_SIZE: up to 4 px per step, finer than the flow is accurate."""

_FARNEBACK: Any = {
    "pyr_scale": 0.5,
    "levels": 2,
    "winsize": 9,  # px; DIS and wider windows blur the mouth's motion into the cheeks' on faces this small
    "iterations": 3,
    "poly_n": 5,
    "poly_sigma": 1.1,
    "flags": 0,
}


def part_frames(
    frames: int, parts: int, *, rng: np.random.Generator | None = None, gap: int = 3
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the frames that represent the parts of a span: (parts,) for the faces, (parts,) for the flow's starts.

    A part's frame is its middle one, or with `rng` a random one. The flow's second frame must lie in the span too, so
    near the end the flow starts earlier.

    >>> part_frames(10, 5)
    (array([1, 3, 5, 7, 9]), array([1, 3, 5, 6, 6]))
    """
    within = np.full(parts, 0.5) if rng is None else rng.random(parts)
    chosen = ((np.arange(parts) + within) * frames / parts).astype(np.intp)
    return chosen, np.clip(chosen, 0, max(frames - 1 - gap, 0))


def optical_flow(grey: NDArray[np.uint8], starts: NDArray[np.intp], *, gap: int, size: int) -> NDArray[np.int8]:
    """Return the motion from each start to the frame `gap` later, or to the last one: int8 (starts, size, size, 2).

    `grey` is uint8 (T, FLOW_SIZE, FLOW_SIZE). Channels: to the right, down; in 1/FLOW_SCALE px.
    """
    result = np.empty((len(starts), size, size, 2), np.int8)
    for k, start in enumerate(starts):
        later = grey[min(start + gap, len(grey) - 1)]
        flow = cv2.calcOpticalFlowFarneback(grey[start], later, None, **_FARNEBACK)  # type: ignore[call-overload]  # float32 (H, W, 2), px
        small = cv2.resize(flow, (size, size), interpolation=cv2.INTER_AREA)
        result[k] = np.clip(np.rint(FLOW_SCALE * small), -127, 127)
    return result


def shrink(faces: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return faces (T, H, W, 3) at another size."""
    return np.stack([cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in faces])


def _streams_of_clip(path: str, frames: int, size: int, gap: int, processed: Path) -> tuple[NDArray, NDArray]:
    crops, _ = crop_clip(path, size=FLOW_SIZE, max_frames=frames, processed=processed)
    faces = crops[:, FULL_FACE]
    grey = to_grey(faces)
    return shrink(faces, size), optical_flow(grey, np.arange(len(grey)), gap=gap, size=size)


def stream_store(store: CropStore, options: Mapping[str, Any]) -> dict[str, NDArray]:
    """Return faces and flow of every frame of a store's clips, at the rows of `store.crops`; memory-mapped, cached."""
    made_from = {"store": store.key, "version": 1, **{key: options[key] for key in ("size", "gap")}}
    folder = paths.PROCESSED / "baselines" / f"streams-{caching.content_key(**made_from)}"
    size, gap, count = options["size"], options["gap"], len(store.crops)
    with caching.lock(folder):
        if not caching.ready(folder):
            calls = [(row.path, row.frames, size, gap, paths.PROCESSED) for row in store.clips.itertuples()]
            with caching.atomic_folder(folder) as made:
                arrays = [
                    np.lib.format.open_memmap(made / f"{name}.npy", "w+", dtype, (count, size, size, channels))
                    for name, dtype, channels in (("spatial", np.uint8, 3), ("temporal", np.int8, 2))
                ]
                chunk = 64  # clips at a time, to limit memory
                for k in range(0, len(calls), chunk):
                    desc = f"faces and flow, from clip {k + 1} of {len(calls)}"
                    results = run_parallel(_streams_of_clip, calls[k : k + chunk], desc=desc)
                    for first, pair in zip(store.clips["first"].iloc[k : k + chunk], results, strict=True):
                        for array, part in zip(arrays, pair, strict=True):
                            array[first : first + len(part)] = part
                for array in arrays:
                    array.flush()
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("spatial", "temporal")}


def gather(
    streams: Mapping[str, NDArray],
    spans: pd.DataFrame,
    parts: int,
    *,
    gap: int,
    rng: np.random.Generator | None = None,
) -> dict[str, NDArray]:
    """Return the network's input for some spans (first, frames): faces and flow of their parts."""
    pairs = [part_frames(frames, parts, rng=rng, gap=gap) for frames in spans["frames"]]
    rows = spans["first"].to_numpy()[:, None, None] + np.array(pairs)  # (B, 2, parts)
    return {"spatial": streams["spatial"][rows[:, 0]], "temporal": streams["temporal"][rows[:, 1]]}


def clip_inputs(faces: NDArray[np.uint8], options: Mapping[str, Any]) -> dict[str, NDArray]:
    """Return the network's input for one clip's aligned faces, uint8 (T, FLOW_SIZE, FLOW_SIZE, 3): a batch of one."""
    chosen, starts = part_frames(len(faces), options["parts"]["clip"], gap=options["gap"])
    grey = to_grey(faces)
    flow = optical_flow(grey, starts, gap=options["gap"], size=options["size"])
    return {"spatial": shrink(faces[chosen], options["size"])[None], "temporal": flow[None]}
