"""The robust model beside other systems: what a mask costs each, and what is found to be hidden."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from microx_utils.components import COMPONENTS, FULL_FACE
from microx_utils.crops import CropStore, crop_clip
from microx_utils.evaluation import predicted, summary
from microx_utils.experiments import Experiment
from microx_utils.rivals import classical
from microx_utils.rivals.streams import FLOW_SIZE, clip_inputs
from microx_utils.rivals.systems import OPTIONS, Baseline, run_system, span_table
from microx_utils.robust.inputs import spread, store_faces
from microx_utils.robust.learning import Fit
from microx_utils.robust.predicting import CLIP_PARTS, look
from microx_utils.support import paths
from microx_utils.support.cache import atomic_file, content_key, lock, ready
from microx_utils.support.resampling import times_drawn
from microx_utils.training import predictions_table


def mask_costs(
    pairs: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], *, reference: str, samples: int, seed: int
) -> pd.DataFrame:
    """Return what a mask costs each system, and how much less than it costs the reference; people are drawn in pairs.

    Parameters
    ----------
    pairs
        System -> its predictions of takes without a mask and of the same takes with one. All have the same people.
    reference
        One of `pairs`.

    Returns
    -------
    DataFrame
        plain, mask (accuracies); cost (their difference), cost_low, cost_high (95 %); saved (the reference's cost minus
        this one's), saved_low, saved_high; share (this one's cost of the reference's), NaN if that
        is not above 0).
    """
    people = sorted(set(pairs[reference][0]["subject"]))
    times = times_drawn(len(people), samples=samples, seed=seed)
    costs: dict[str, NDArray[np.float64]] = {}
    scores: dict[str, dict[str, float]] = {}
    for name, (plain, mask) in pairs.items():
        costs[name] = _drawn(plain, people, times) - _drawn(mask, people, times)
        scores[name] = {"plain": summary(plain)["accuracy"], "mask": summary(mask)["accuracy"]}
    most = scores[reference]["plain"] - scores[reference]["mask"]
    rows = {}
    for name, row in scores.items():
        cost = row["plain"] - row["mask"]
        low, high = np.quantile(costs[name], [0.025, 0.975])
        saved_low, saved_high = np.quantile(costs[reference] - costs[name], [0.025, 0.975])
        rows[name] = row | {"cost": cost, "cost_low": low, "cost_high": high}
        rows[name] |= {"saved": most - cost, "saved_low": saved_low, "saved_high": saved_high}
        rows[name]["share"] = cost / most if most > 0 else np.nan
    table = pd.DataFrame.from_dict(rows, orient="index")
    if len(people) < 2:  # one person says nothing about others
        table[["cost_low", "cost_high", "saved_low", "saved_high"]] = np.nan
    return table


def _drawn(table: pd.DataFrame, people: list[str], times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the accuracy in each bootstrap sample: (samples,). `times`: how often each person was drawn."""
    right = (predicted(table) == table["emotion"]).astype(float).groupby(table["subject"])
    hits, counts = (each.reindex(people).to_numpy(float) for each in (right.sum(), right.count()))
    return (times @ hits) / (times @ counts)


def seen_in_clips(fit: Fit, store: CropStore) -> dict[str, pd.DataFrame]:
    """Return what a model sees of each clip of a store, and what it looks at: means over evenly spread frames.

    Returns
    -------
    dict
        available (how likely each component can be seen) and weights (its share of the joined face), each a table with
        a row per clip (clip_id) and a column per component.
    """
    frames = spread(store.clips["first"], store.clips["frames"], CLIP_PARTS)
    found = look(fit.load(), store_faces(store), frames.ravel())
    index = pd.Index(store.clips["clip_id"], name="clip_id")
    means = {name: found[name].reshape(len(frames), CLIP_PARTS, -1).mean(axis=1) for name in ("available", "weights")}
    return {name: pd.DataFrame(values, index=index, columns=list(COMPONENTS)) for name, values in means.items()}


def told_apart(available: pd.DataFrame, masked: pd.Series) -> pd.DataFrame:
    """Return how well availability tells masked takes from plain ones, component by component.

    Parameters
    ----------
    available
        One row per take, one column per component.
    masked
        bool, of the same rows.

    Returns
    -------
    DataFrame
        Indexed by component: plain, mask (mean availability), auc: how likely a masked take has the smaller value than
        a plain one; .5 where nothing is told apart.
    """
    truth, rows = masked.to_numpy(bool), {}
    for name in COMPONENTS:
        each = available[name].to_numpy()
        rows[name] = {"plain": each[~truth].mean(), "mask": each[truth].mean(), "auc": roc_auc_score(truth, -each)}
    return pd.DataFrame.from_dict(rows, orient="index")


def rival_answers(
    name: str, experiment: Experiment, store: CropStore, own: CropStore, clips: pd.DataFrame
) -> pd.DataFrame:
    """Return a rival's answers to own recordings, which belong to no side of the split; cached.

    The rival is that of notebook 08, trained on the same people. A classical one is fitted again, with the recordings
    among the clips to be answered, since a fitted one is not kept.

    Parameters
    ----------
    name
        One of `rivals.systems.OPTIONS`.
    experiment, store
        What `run_system` takes.
    own, clips
        The recordings' store, and the rows of `predicting.clip_spans` to answer.

    Returns
    -------
    DataFrame
        A predictions table with one row per clip.
    """
    run = run_system(name, experiment, store)
    file = paths.PROCESSED / "robust" / f"rival-{content_key(run=run.key, own=own.key, clips=clips['clip_id'])}.npy"
    with lock(file):
        if not ready(file):
            ask = _ask_two_streams if name == "two_streams" else _ask_classical
            found = ask(name, run, store, own, clips)
            with atomic_file(file, checked=True) as temporary:
                np.save(temporary, found / found.sum(axis=1, keepdims=True))
    return predictions_table(clips.assign(split="test"), np.load(file))


def _ask_two_streams(
    name: str, run: Baseline, store: CropStore, own: CropStore, clips: pd.DataFrame
) -> NDArray[np.float64]:
    from microx_utils.rivals import two_streams  # imports Keras, which takes seconds

    model, options = two_streams.load(run.folder)
    rows = own.clips.set_index("clip_id").loc[clips["clip_id"]]
    found = []
    for path, frames in zip(tqdm(rows["path"], desc=f"asking {name}", unit="clip"), rows["frames"], strict=True):
        faces = crop_clip(path, size=FLOW_SIZE, max_frames=frames)[0][:, FULL_FACE]
        found.append(model.predict_on_batch(clip_inputs(faces, options))[0])
    return np.asarray(found, np.float64)


def _ask_classical(
    name: str, run: Baseline, store: CropStore, own: CropStore, clips: pd.DataFrame
) -> NDArray[np.float64]:
    shift = len(store.crops)
    both = replace(
        store,
        clips=pd.concat([store.clips, own.clips.assign(first=own.clips["first"] + shift)], ignore_index=True),
        available=np.concatenate([store.available, own.available]),
    )
    asked = clips.assign(first=clips["first"] + shift, split="test")
    columns = ["segment_id", "clip_id", "subject", "emotion", "split", "first", "frames"]
    sides = {level: span_table(run.experiment, store, level) for level in classical.LEVELS}
    spans = {level: pd.concat([rows, asked[columns]], ignore_index=True) for level, rows in sides.items()}
    if name == "landmarks":
        fitted = classical.fit_landmarks(spans, both)
    else:
        fitted = classical.fit_appearance(spans, both, OPTIONS[name])
    return fitted.probabilities["clip"][-len(clips) :]
