"""What the robust model says: of frames, of segments and of whole clips, with what it can see and what it looks at."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.components import COMPONENTS
from microx_utils.crops import CropStore
from microx_utils.labels import PROBABILITIES
from microx_utils.robust.inputs import Faces, frame_inputs, spread, store_faces
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.support.keras_setup import prepare_networks
from microx_utils.training import predictions_table

if TYPE_CHECKING:
    from microx_utils.robust.learning import Fit
    from microx_utils.robust.network import Network

SEGMENT_PARTS, CLIP_PARTS = 5, 15
"""Frames that are looked at, evenly spread: of a segment of ten frames, and of a clip."""
PARTS = {"segment": SEGMENT_PARTS, "clip": CLIP_PARTS}

_FRAMES_AT_ONCE, _SPANS_AT_ONCE = 32, 64


def load_network(folder: str | os.PathLike[str]) -> "Network":
    """Return the network whose design.json, frame.weights.h5 and span.weights.h5 are in a folder."""
    prepare_networks()
    from microx_utils.robust.network import Design, build  # imports Keras, which takes seconds

    folder = Path(folder)
    values = json.loads((folder / "design.json").read_text())
    values |= {name: tuple(values[name]) for name in ("filters", "units")}
    network = build(Design(**values))
    network.frame.load_weights(folder / "frame.weights.h5")
    network.span.load_weights(folder / "span.weights.h5")
    return network


def clip_spans(segments: pd.DataFrame, store: CropStore) -> pd.DataFrame:
    """Return the clips that some segments are cut from, whole: one row each, segment_id = clip_id."""
    rows = segments.drop_duplicates("clip_id").drop(columns=["first", "frames"])
    rows = rows.merge(store.clips[["clip_id", "first", "frames"]], on="clip_id", how="left", validate="one_to_one")
    return rows.assign(segment_id=rows["clip_id"]).reset_index(drop=True)


def look(
    network: "Network", faces: Faces, frames: NDArray[np.intp], *, hide: Sequence[str] = ()
) -> dict[str, NDArray[np.float32]]:
    """Return what the first half of the network says of some frames, each by itself.

    Parameters
    ----------
    frames
        (N,) rows of `faces`.
    hide
        Components that are taken away: the network is told that they are not there.

    Returns
    -------
    dict
        face (N, D), available (N, 7), weights (N, 7) and, if it learned some, units (N, n): see `network.Network`.
    """
    found: dict[str, list[NDArray]] = {}
    hidden, size = [COMPONENTS.index(name) for name in hide], _FRAMES_AT_ONCE
    for start in range(0, len(frames), size):
        chosen = np.resize(frames[start : start + size], size)  # always full: another size would be compiled again
        inputs = {name: values[:, 0] for name, values in frame_inputs(faces, chosen[:, None]).items()}
        inputs["given"][:, hidden] = 0
        for name, values in network.frame.predict_on_batch(inputs).items():
            found.setdefault(name, []).append(np.asarray(values)[: len(frames) - start])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def join(network: "Network", face: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Return what the second half says of spans (n, T, D) of joined faces: emotion (n, 7) and moments (n, T)."""
    found: dict[str, list[NDArray]] = {"emotion": [], "moments": []}
    for start in range(0, len(face), _SPANS_AT_ONCE):
        part = face[start : start + _SPANS_AT_ONCE]
        full = np.resize(part, (_SPANS_AT_ONCE, *part.shape[1:]))
        for name, values in network.span.predict_on_batch(full).items():
            found[name].append(np.asarray(values, np.float64)[: len(part)])
    joined = {name: np.concatenate(parts) for name, parts in found.items()}
    return joined | {"emotion": joined["emotion"] / joined["emotion"].sum(axis=1, keepdims=True)}


def answers(
    network: "Network", faces: Faces, spans: pd.DataFrame, parts: int, *, hide: Sequence[str] = ()
) -> NDArray[np.float64]:
    """Return the probabilities (n, 7) of some spans (first, frames), each seen in `parts` frames."""
    frames = spread(spans["first"], spans["frames"], parts)
    rows, places = np.unique(frames, return_inverse=True)
    return join(network, look(network, faces, rows, hide=hide)["face"][places.reshape(frames.shape)])["emotion"]


@dataclass(frozen=True)
class ClipAnswer:
    """What the model says of one clip.

    Attributes
    ----------
    segments
        One row per segment of ten frames: first, frames, p_neutral .. p_sad.
    clip
        The probabilities of the whole clip: (7,), in the order of `EMOTIONS`.
    frames, available, weights
        The frames looked at (N,); how likely each component can be seen in them, and its weight: (N, 7).
    """

    segments: pd.DataFrame
    clip: NDArray[np.float64]
    frames: NDArray[np.intp]
    available: NDArray[np.float32]
    weights: NDArray[np.float32]


def predict_clip(network: "Network", faces: Faces, *, length: int = 10) -> ClipAnswer:
    """Return what the model says of one clip (`inputs.clip_faces`): of each segment, and of all of it.

    A clip shorter than a segment is one segment.
    """
    count = len(faces.points)
    firsts = list(range(0, count - length + 1, length)) or [0]
    spans = pd.DataFrame({"first": firsts, "frames": min(length, count)})
    parts = spread(spans["first"], spans["frames"], SEGMENT_PARTS)
    whole = spread([0], [count], CLIP_PARTS)
    rows, places = np.unique(np.concatenate([parts.ravel(), whole.ravel()]), return_inverse=True)
    seen = look(network, faces, rows)
    face = seen["face"][places]
    each = join(network, face[: parts.size].reshape(*parts.shape, -1))["emotion"]
    table = spans.join(pd.DataFrame(each, columns=list(PROBABILITIES)))
    clip = join(network, face[parts.size :][None])["emotion"][0]
    return ClipAnswer(table, clip, rows, seen["available"], seen["weights"])


def predict_spans(
    fit: "Fit",
    store: CropStore,
    spans: pd.DataFrame,
    *,
    level: str = "clip",
    hide: Sequence[str] = (),
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Return a fitted model's predictions of segments or clips, optionally without some components; cached.

    Parameters
    ----------
    fit
        What `learning.fit` returned.
    store, spans
        Aligned crops, and rows with segment_id, clip_id, subject, emotion, first, frames: segments of
        `batches.segment_table`, or clips of `clip_spans`.
    level
        "segment" or "clip": how many frames are looked at.
    hide
        Components that are taken away.
    cache
        Folder of predictions; None is `robust` under `paths.PROCESSED`.

    Returns
    -------
    DataFrame
        A predictions table (`evaluation.COLUMNS`); all rows are "test" if `spans` has no column "split".
    """
    if level not in PARTS:
        raise ValueError(f"unknown level {level!r}; choose from {tuple(PARTS)}")
    if unknown := sorted(set(hide) - set(COMPONENTS)):
        raise ValueError(f"can't hide {unknown}; choose from {COMPONENTS}")
    if spans.empty:
        raise ValueError("there is nothing to predict; wanted rows of segments or clips")
    rows = spans[["segment_id", "first", "frames"]].to_csv(index=False)
    key = caching.content_key(fit=fit.key, store=store.key, rows=rows, level=level, hide=sorted(hide))
    file = Path(cache or paths.PROCESSED / "robust") / f"answers-{key}.npy"
    with caching.lock(file):
        if not caching.ready(file):
            found = answers(fit.load(), store_faces(store), spans, PARTS[level], hide=hide)
            with caching.atomic_file(file, checked=True) as temporary:
                np.save(temporary, found)
    spans = spans if "split" in spans else spans.assign(split="test")
    return predictions_table(spans, np.load(file))
