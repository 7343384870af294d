"""The classical systems of Table 2's comparison: class shares, landmark motion, peak frames with an SVM.

Each `fit_...` takes the spans of both levels (`systems.span_table`) and returns a `Fitted`. Choices are made on the
validation people of the same level; test people are only predicted. `systems` says what the systems are.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tqdm import tqdm

from microx_utils.components import FULL_FACE, LANDMARK_GROUPS, to_grey
from microx_utils.crops import CropStore, crop_clip
from microx_utils.labels import EMOTIONS
from microx_utils.landmarks import clip_landmarks, landmark_array
from microx_utils.rivals import descriptors
from microx_utils.support import paths
from microx_utils.support.parallel import run_parallel

LEVELS = ("segment", "clip")
"""What a system may see of a clip: the ten frames of a segment, or all of it."""


@dataclass(frozen=True)
class Fitted:
    """A fitted system.

    Attributes
    ----------
    probabilities
        Level -> float (held-out spans, 7), in the order of the spans that are not in training.
    facts
        seconds_features, seconds_training, parameters, chosen; plain values.
    answer, inputs
        `answer(*inputs(row))` is the system's answer to one clip, a row of `CropStore.clips`; `inputs` loads what every
        system needs in memory (faces, landmarks), and only `answer` is timed.
    """

    probabilities: dict[str, NDArray]
    facts: dict[str, Any]
    answer: Callable[..., Any]
    inputs: Callable[[pd.Series], tuple]


def fit_majority(spans: Mapping[str, pd.DataFrame]) -> Fitted:
    """Answer everything with the class shares of the training people."""
    probabilities = {}
    for level, rows in spans.items():
        train = rows["split"] == "train"
        shares = rows.loc[train, "emotion"].value_counts(normalize=True).reindex(EMOTIONS, fill_value=0.0)
        probabilities[level] = np.tile(shares, ((~train).sum(), 1))
    facts = {"seconds_features": 0.0, "seconds_training": 0.0, "parameters": len(EMOTIONS), "chosen": {}}
    return Fitted(probabilities, facts, lambda: probabilities["clip"][0], lambda row: ())


def fit_landmarks(spans: Mapping[str, pd.DataFrame], store: CropStore) -> Fitted:
    """Classify the position and motion of the 68 points (`landmark_features`) by logistic regression or an SVM."""
    started = time.perf_counter()
    features = _of_all_clips(_landmarks_of_clip, spans, store, {}, desc="landmark motion")
    seconds = time.perf_counter() - started
    candidates: dict[str, BaseEstimator] = {
        **{f"logistic regression, C = {c:g}": LogisticRegression(C=c, max_iter=5000) for c in (0.001, 0.01, 0.1, 1)},
        **{f"RBF SVM, C = {c:g}": SVC(C=c) for c in (1, 10, 100)},
    }
    variants = {level: {"all": every} for level, every in features.items()}
    probabilities, chosen, facts = _choose_all(variants, spans, candidates, lambda limit: StandardScaler())

    def answer(points: NDArray, seen: NDArray) -> NDArray:
        return chosen["clip"].probabilities(landmark_features(points[seen])[None, None])

    def inputs(row: pd.Series) -> tuple:
        return landmark_array(clip_landmarks(row["path"]))[: row["frames"]], _with_a_face(store, row)

    return Fitted(probabilities, {"seconds_features": seconds, **facts}, answer, inputs)


def fit_appearance(spans: Mapping[str, pd.DataFrame], store: CropStore, options: Mapping[str, Any]) -> Fitted:
    """Zhalehpour et al.: peak frames, LPQ or POEM block histograms, SVM, scores averaged over the peak frames."""
    started = time.perf_counter()
    features = _of_all_clips(_appearance_of_clip, spans, store, options, desc=f"{options['descriptor']} histograms")
    seconds = time.perf_counter() - started
    candidates: dict[str, BaseEstimator] = {
        f"{kernel} SVM, C = {c:g}": SVC(C=c, kernel=kernel) for kernel in ("linear", "rbf") for c in (1, 10)
    }
    variants = {
        level: dict(zip(options["rules"], np.moveaxis(every, 1, 0), strict=True)) for level, every in features.items()
    }
    reduce = partial(PCA, svd_solver="randomized", iterated_power=2, random_state=0)  # more iterations change little
    probabilities, chosen, facts = _choose_all(
        variants, spans, candidates, lambda limit: reduce(min(options["dimensions"], limit)), descriptors.hellinger
    )
    used = {**options, "rules": (chosen["clip"].variant,)}

    def answer(grey: NDArray, seen: NDArray) -> NDArray:
        counts = _peak_histograms(grey, seen, [(0, len(grey), options["peaks"]["clip"])], used)[0][0]
        return chosen["clip"].probabilities(descriptors.hellinger(counts)[None])

    def inputs(row: pd.Series) -> tuple:
        return aligned_grey(row["path"], options["size"], row["frames"]), _with_a_face(store, row)

    return Fitted(probabilities, {"seconds_features": seconds, **facts}, answer, inputs)


# Features


def landmark_features(points: NDArray) -> NDArray[np.float32]:
    """Return the mean position and the motion of 68 points over some frames, without the head's place, size and roll.

    Parameters
    ----------
    points
        (T, 68, 2), px.

    Returns
    -------
    float32 (544,)
        Mean, standard deviation, range, and last frame minus first of each of the 136 coordinates. The origin is the
        midpoint between the eyes, the unit their distance.
    """
    each = level_points(points).reshape(len(points), -1)
    parts = [each.mean(axis=0), each.std(axis=0), np.ptp(each, axis=0), each[-1] - each[0]]
    return np.concatenate(parts).astype(np.float32)


def level_points(points: NDArray) -> NDArray[np.float64]:
    """Return points (T, 68, 2) turned upright: the eyes' centres at (-0.5, 0) and (0.5, 0), y down."""
    points = np.asarray(points, np.float64)
    right, left = (points[:, LANDMARK_GROUPS[eye]].mean(axis=1) for eye in ("right_eye", "left_eye"))  # (T, 2)
    z = points[..., 0] + 1j * points[..., 1]  # a turn and a scaling are one complex factor
    across = ((left - right) @ [1, 1j])[:, None]
    z = (z - (((left + right) / 2) @ [1, 1j])[:, None]) / across
    return np.stack([z.real, z.imag], axis=-1)


def aligned_grey(path: str | os.PathLike[str], size: int, frames: int, processed: Any = None) -> NDArray[np.uint8]:
    """Return a clip's aligned faces in grey, (frames, size, size)."""
    crops, _ = crop_clip(path, size=size, max_frames=frames, processed=processed)
    return to_grey(crops[:, FULL_FACE])


def _peak_histograms(
    grey: NDArray, seen: NDArray, windows: list[tuple[int, int, int]], options: Mapping[str, Any]
) -> list[NDArray[np.uint16]]:
    """Return the histograms of the peak frames of each window (start, frames, count): a list of (rules, count, D)."""
    counts = descriptors.describe(grey, descriptor=options["descriptor"], grid=options["grid"])
    distances = descriptors.frame_distances(counts)
    chosen = []
    for start, frames, count in windows:
        usable = start + np.flatnonzero(seen[start : start + frames])
        own = distances[np.ix_(usable, usable)]
        peaks = [descriptors.peak_frames(own, count, rule=rule) for rule in options["rules"]]
        chosen.append(counts[usable[np.array(peaks)]])
    return chosen


def _appearance_of_clip(
    path: str, seen: NDArray, windows: Mapping[str, list[tuple[int, int]]], options: Mapping[str, Any], processed: Any
) -> dict[str, NDArray]:
    grey = aligned_grey(path, options["size"], len(seen), processed)
    peaks = options["peaks"]
    every = [(start, frames, peaks[level]) for level in LEVELS for start, frames in windows[level]]
    counts = _peak_histograms(grey, seen, every, options)
    cut = len(windows[LEVELS[0]])
    return {LEVELS[0]: np.stack(counts[:cut]), LEVELS[1]: np.stack(counts[cut:])}


def _landmarks_of_clip(
    path: str, seen: NDArray, windows: Mapping[str, list[tuple[int, int]]], options: Mapping[str, Any], processed: Any
) -> dict[str, NDArray]:
    points = landmark_array(clip_landmarks(path, cache=processed))
    return {
        level: np.stack(
            [landmark_features(points[start + np.flatnonzero(seen[start : start + n])]) for start, n in windows[level]]
        )[:, None]
        for level in LEVELS
    }


def _of_all_clips(
    function: Callable[..., dict[str, NDArray]],
    spans: Mapping[str, pd.DataFrame],
    store: CropStore,
    options: Mapping[str, Any],
    *,
    desc: str,
) -> dict[str, NDArray]:
    """Return level -> (spans, ...): the results of `function` for every clip, in the order of the spans."""
    places = {level: rows.groupby("clip_id").indices for level, rows in spans.items()}
    clips = store.clips[store.clips["clip_id"].isin(places["clip"])]
    calls = []
    for _, clip in clips.iterrows():
        windows = {}
        for level, rows in spans.items():
            own = rows.iloc[places[level][clip["clip_id"]]]
            windows[level] = list(zip(own["first"] - clip["first"], own["frames"], strict=True))
        calls.append((clip["path"], _with_a_face(store, clip), windows, options, paths.PROCESSED))
    results = run_parallel(function, calls, desc=desc)
    features = {}
    for level, rows in spans.items():
        first = results[0][level]
        features[level] = np.empty((len(rows), *first.shape[1:]), first.dtype)
        for name, result in zip(clips["clip_id"], results, strict=True):
            features[level][places[level][name]] = result[level]
    return features


def _with_a_face(store: CropStore, clip: pd.Series) -> NDArray[np.bool_]:
    """Return for each frame of a clip whether a face was found in it."""
    return np.array(store.available[clip["first"] : clip["first"] + clip["frames"], FULL_FACE])


# Choosing a classifier


@dataclass(frozen=True)
class Chosen:
    """A fitted classifier, the steepness of its softmax, what it is called, and its accuracy on validation people.

    `variant` names the features that it was fitted on, where there were several.
    """

    model: Any
    steepness: float
    name: str
    validation: float
    variant: str = ""

    def probabilities(self, features: NDArray) -> NDArray[np.float64]:
        """Return (n, 7) for features (n, frames, D): decision scores averaged over the frames, through a softmax."""
        return softmax(self.steepness * _scores(self.model, features), axis=1)


def choose(
    candidates: Mapping[str, BaseEstimator], prepare: BaseEstimator, features: NDArray, spans: pd.DataFrame
) -> Chosen:
    """Fit every candidate on training people and keep the best on validation people; ties go to the first.

    Parameters
    ----------
    candidates
        Name -> a scikit-learn classifier with `decision_function`.
    prepare
        A transformer, fitted once on training people.
    features
        float (spans, frames, D): each frame is a training example, a span's scores are the mean of its frames'.
    spans
        emotion and split of each.
    """
    train, validation = ((spans["split"] == side).to_numpy() for side in ("train", "validation"))
    labels = spans["emotion"].to_numpy()
    if len(set(labels[train])) < 2:
        raise ValueError(f"the training people show only {sorted(set(labels[train]))}; wanted two classes or more")
    frames, width = features.shape[1:]
    x, y = prepare.fit_transform(features[train].reshape(-1, width)), np.repeat(labels[train], frames)
    held = prepare.transform(features[validation].reshape(-1, width)).reshape(-1, frames, x.shape[1])
    truth = np.array([EMOTIONS.index(emotion) for emotion in labels[validation]])

    fitted = {name: clone(candidate).fit(x, y) for name, candidate in tqdm(candidates.items(), "choosing", leave=False)}
    scores = {name: _scores(model, held) for name, model in fitted.items()}
    accuracy = {name: float((each.argmax(axis=1) == truth).mean()) for name, each in scores.items()}
    best = max(accuracy, key=lambda name: accuracy[name])
    usable = np.isfinite(scores[best][np.arange(len(truth)), truth])  # of classes with training examples

    def loss(steepness: float) -> float:
        probabilities = softmax(steepness * scores[best][usable], axis=1)
        return log_loss(truth[usable], probabilities, labels=range(len(EMOTIONS)))

    steepness = float(min(np.geomspace(1 / 8, 32, 17), key=loss))
    return Chosen(make_pipeline(prepare, fitted[best]), steepness, best, accuracy[best])


def _scores(model: Any, features: NDArray) -> NDArray[np.float64]:
    """Return decision scores averaged over frames, (n, 7); minus infinity for a class without training examples."""
    count, frames, width = features.shape
    each = model.decision_function(features.reshape(-1, width))  # (n * frames, classes), or (n * frames,) if of two
    each = np.stack([-each, each], axis=1) if each.ndim == 1 else each
    scores = np.full((count, len(EMOTIONS)), -np.inf)
    scores[:, [EMOTIONS.index(emotion) for emotion in model.classes_]] = each.reshape(count, frames, -1).mean(axis=1)
    return scores


def _choose_all(
    variants: Mapping[str, Mapping[str, NDArray]],
    spans: Mapping[str, pd.DataFrame],
    candidates: Mapping[str, BaseEstimator],
    prepare: Callable[[int], BaseEstimator],
    finish: Callable[[NDArray], NDArray] = np.asarray,
) -> tuple[dict[str, NDArray], dict[str, Chosen], dict[str, Any]]:
    """Choose features and a classifier for each level; return held-out probabilities, the choices, and facts.

    `variants` is level -> name -> features (spans, frames, D). `prepare` makes the transformer, given the most
    dimensions that the training examples allow; `finish` is applied to one variant at a time, to save memory.
    """
    started = time.perf_counter()
    chosen: dict[str, Chosen] = {}
    probabilities: dict[str, NDArray] = {}
    validation: dict[str, dict[str, float]] = {level: {} for level in LEVELS}
    for level in LEVELS:
        train = (spans[level]["split"] == "train").to_numpy()
        for name, raw in variants[level].items():
            features = finish(raw)
            limit = min(int(train.sum()) * features.shape[1], features.shape[2])
            found = replace(choose(candidates, prepare(limit), features, spans[level]), variant=name)
            validation[level][name] = found.validation
            if level not in chosen or found.validation > chosen[level].validation:
                chosen[level], probabilities[level] = found, found.probabilities(features[~train])
    facts = {
        "seconds_training": time.perf_counter() - started,
        "parameters": count_parameters(chosen["clip"].model),
        "chosen": {level: c.name if c.variant == "all" else f"{c.variant}, {c.name}" for level, c in chosen.items()},
        "validation": validation,
    }
    return probabilities, chosen, facts


def count_parameters(pipeline: Any) -> int:
    """Return how many fitted numbers a pipeline predicts with: means, axes, weights, and an SVM's support vectors."""
    total = 0
    for _, step in pipeline.steps:
        weights = ("support_vectors_", "dual_coef_") if hasattr(step, "support_vectors_") else ("coef_",)
        names = ("mean_", "scale_", "components_", "intercept_", *weights)
        total += sum(int(np.size(getattr(step, name))) for name in names if hasattr(step, name))
    return total
