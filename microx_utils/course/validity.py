"""What a score is worth: a model that may refuse, its calibration, and how much more people or clips would help.

Notebooks 03 and 06 use it. As everywhere, intervals are drawn over people.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.dummy import DummyClassifier

from microx_utils.components import FULL_FACE
from microx_utils.crops import CropStore
from microx_utils.evaluation import calibration_error, pool, predicted
from microx_utils.faces.realism import face_distances
from microx_utils.labels import PROBABILITIES
from microx_utils.landmarks import clip_landmarks, landmark_array
from microx_utils.robust.inputs import REST_FRAMES
from microx_utils.segments import split_segments
from microx_utils.support.resampling import times_drawn

MOVES = 24
"""Distances in a face that are measured."""

SHARES = tuple(k / 20 for k in range(2, 21))
"""Shares of the rows that `selective_errors` has answered, unless told otherwise."""


def selective_errors(
    predictions: pd.DataFrame, shares: Sequence[float] = SHARES, *, samples: int, seed: int
) -> pd.DataFrame:
    """Return how often the answers are wrong if only the surest rows are answered: a risk-coverage curve.

    Parameters
    ----------
    predictions
        Predictions of one split. The confidence of a row is its largest probability.
    shares
        Of the rows that are answered, above 0 and at most 1.
    samples, seed
        Of the bootstrap over subjects. The surest rows are chosen anew in every sample.

    Returns
    -------
    DataFrame
        Indexed by share: error (of the answered rows), low, high (its 95 % interval); saved, saved_low, saved_high: how
        much less that is than the error of all rows, in the same samples. Intervals of one person are NaN.
    """
    wrong = (predicted(predictions) != predictions["emotion"]).to_numpy(float)
    order = np.argsort(-predictions[list(PROBABILITIES)].max(axis=1).to_numpy(), kind="stable")
    person, times = _draws(predictions, samples, seed)
    weights = np.vstack([np.ones(len(order)), times[:, person]])[:, order]  # the rows as they are, then the samples
    answered, failed = weights.cumsum(axis=1), (weights * wrong[order]).cumsum(axis=1)
    total = answered[:, -1:]
    errors = []
    for share in shares:
        last = (answered >= share * total - 1e-9).argmax(axis=1)[:, None]
        errors.append((np.take_along_axis(failed, last, 1) / np.take_along_axis(answered, last, 1))[:, 0])
    error = np.array(errors)  # (shares, 1 + samples)
    saved = (failed[:, -1:] / total)[:, 0] - error
    table = pd.DataFrame(index=pd.Index(shares, name="share answered"))
    for name, values in (("error", error), ("saved", saved)):
        ends = ("low", "high") if name == "error" else ("saved_low", "saved_high")
        table[name] = values[:, 0]
        table[ends[0]], table[ends[1]] = np.quantile(values[:, 1:], [0.025, 0.975], axis=1)
        if times.shape[1] < 2:  # one person says nothing about others
            table[list(ends)] = np.nan
    return table


def calibration_table(predictions: pd.DataFrame, *, bins: int = 10, samples: int, seed: int) -> pd.DataFrame:
    """Return how far confidence and accuracy lie apart, with 95 % intervals over subjects.

    Rows: "confidence minus accuracy" (above zero: too sure) and "calibration error (ECE)"
    (`evaluation.calibration_error`, with so many `bins`). Columns: value, low, high; NaN for one person.
    """
    confidence = predictions[list(PROBABILITIES)].max(axis=1).to_numpy(float)
    gap = confidence - (predicted(predictions) == predictions["emotion"]).to_numpy(float)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    person, times = _draws(predictions, samples, seed)
    gaps = np.zeros((times.shape[1], bins))  # of each person's rows in each bin
    np.add.at(gaps, (person, place), gap)
    drawn = times @ gaps / (times @ np.bincount(person))[:, None]
    own, error = float(gap.mean()), calibration_error(predictions, bins=bins)
    # A sample of people has larger gaps than the people themselves, as these have than all people. Reflecting the
    # samples' errors at the measured one takes that bias off; plain quantiles would add it a second time.
    low, high = np.quantile(2 * error - np.abs(drawn).sum(axis=1), [0.025, 0.975]).clip(0)
    rows = {
        "confidence minus accuracy": [own, *np.quantile(drawn.sum(axis=1), [0.025, 0.975])],
        "calibration error (ECE)": [error, low, high],
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
    if times.shape[1] < 2:
        table[["low", "high"]] = np.nan
    return table


def face_moves(store: CropStore) -> NDArray[np.float32]:
    """Return how the face has moved in every frame of a store, (rows of the store, 24): `faces.realism.face_distances`.

    The distances are measured from the clip's own neutral, the mean of its first frames with a face. So the head's
    place, size and roll are taken off, and most of whose face it is. Frames without a face have zeros.
    """
    moves = np.zeros((len(store.crops), MOVES), np.float32)
    for path, first, frames in zip(*(store.clips[name] for name in ("path", "first", "frames")), strict=True):
        rows = np.arange(first, first + frames)
        seen = store.available[rows, FULL_FACE]
        distances = face_distances(landmark_array(clip_landmarks(path))[:frames][seen])
        own = np.stack(list(distances.values()), axis=-1)
        moves[rows[seen]] = own - own[:REST_FRAMES].mean(axis=0)
    return moves


def fit_and_answer(model: Any, features: NDArray, rows: pd.DataFrame, part: str = "test") -> pd.DataFrame:
    """Fit a copy of a scikit-learn classifier on the training rows; return its predictions table of another part.

    Parameters
    ----------
    model
        With `predict_proba`.
    features
        One line per row, (n, ...).
    rows
        segment_id, clip_id, subject, emotion, split.
    part
        Which value of `split` is answered.
    """
    flat = features.reshape(len(features), -1)
    train, held = ((rows["split"] == side).to_numpy() for side in ("train", part))
    labels = rows.loc[train, "emotion"]
    model = (clone(model) if len(set(labels)) > 1 else DummyClassifier()).fit(flat[train], labels)
    found = pd.DataFrame(model.predict_proba(flat[held]), columns=[f"p_{emotion}" for emotion in model.classes_])
    kept = rows.loc[held, ["segment_id", "clip_id", "subject", "emotion", "split"]].reset_index(drop=True)
    return kept.join(found.reindex(columns=list(PROBABILITIES), fill_value=0.0))


def learned_from_few(
    model: Any,
    features: NDArray,
    clips: pd.DataFrame,
    segments: pd.DataFrame,
    *,
    people: int,
    each: int,
    seeds: Iterable[int],
) -> pd.DataFrame:
    """Train a classifier on a few clips of a few people, once per seed; return what it says to the validation people.

    How much to record is a choice, so test people have no part in it.

    Parameters
    ----------
    model
        A scikit-learn classifier with `predict_proba`.
    features, clips
        One row per clip, and `CropStore.clips`.
    segments
        The table of `make_segments`, which is divided by subject.
    people, each
        How many training people, and how many clips of each; all of them, if there are fewer. With one seed, a
        larger training set holds every smaller one.
    seeds
        Each divides the people and draws from them anew.

    Returns
    -------
    DataFrame
        A predictions table with one row per clip and seed (`evaluation.pool`).
    """
    tables = {}
    for seed in seeds:
        sides = split_segments(segments, by="subject", seed=seed).groupby(segments["clip_id"]).first()
        rows = clips.assign(segment_id=clips["clip_id"], split=clips["clip_id"].map(sides))
        training = rows[rows["split"] == "train"].sample(frac=1, random_state=seed)
        everybody = np.random.default_rng(seed).permutation(sorted(set(training["split_group"])))
        chosen = training[training["split_group"].isin(everybody[:people])].groupby("split_group").head(each)
        rows["split"] = rows["split"].where((rows["split"] != "train") | rows.index.isin(chosen.index), "not used")
        tables[seed] = fit_and_answer(model, features, rows, "validation")
    return pool(tables)


def _draws(predictions: pd.DataFrame, samples: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return each row's person, (n,), and how often each person is in each bootstrap sample, (samples, people)."""
    person, names = pd.factorize(predictions["subject"], sort=True)
    return person, times_drawn(len(names), samples=samples, seed=seed)
