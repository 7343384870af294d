"""All metrics, computed from the table of predictions (paper, section V).

A predictions table has one row per segment (after `clip_predictions`, one row per clip) of ONE split: `segment_id,
clip_id, subject, emotion, split` and the seven probabilities `p_neutral .. p_sad`.

A class without true rows has no recall: its metrics are NaN and macro averages skip it. A class that has rows but is
never predicted has precision 0, which counts. Unweighted average recall (UAR), as balanced accuracy is called in the
field, is the macro recall.
"""

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
)
from statsmodels.stats.contingency_tables import mcnemar as _mcnemar

from microx_utils.labels import CHANCE, EMOTIONS, PROBABILITIES
from microx_utils.support.resampling import times_drawn

COLUMNS = ("segment_id", "clip_id", "subject", "emotion", "split", *PROBABILITIES)
"""The columns of a predictions table."""

METRICS = ("accuracy", "precision", "recall", "fscore", "uar")
"""The metrics of `bootstrap_interval`; precision, recall and fscore also for a single emotion."""

_EXACT_BELOW = 25  # discordant pairs; below, the chi-squared approximation of McNemar's test is poor


def check_predictions(predictions: pd.DataFrame) -> None:
    """Raise ValueError, with what is wrong and what to do, unless this is a predictions table.

    Checked: the columns, at least one row, unique segment ids, one split, known emotions, probabilities that are at
    least 0 and add up to 1 (within 0.001).
    """
    if missing := [column for column in COLUMNS if column not in predictions]:
        raise ValueError(f"predictions lack the columns {missing} of {list(COLUMNS)}. Pass Run.predictions.")
    if predictions.empty:
        raise ValueError("predictions have no rows. Check which split was selected.")
    repeated = predictions.loc[predictions["segment_id"].duplicated(), "segment_id"].unique().tolist()
    if repeated:
        raise ValueError(f"segment ids appear more than once, for example {repeated[0]!r}. Evaluate one run at a time.")
    splits = sorted(predictions["split"].astype(str).unique())
    if len(splits) > 1:
        raise ValueError(f"rows of several splits {splits}. Select one: predictions[predictions['split'] == 'test'].")
    if unknown := sorted(set(predictions["emotion"].astype(str)) - set(EMOTIONS)):
        raise ValueError(f"unknown emotions {unknown}, not in {list(EMOTIONS)}. Map them with labels.emotion_of.")
    values = _probabilities(predictions)
    good = (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-3)  # False for NaN
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"the probabilities of {int((~good).sum())} rows are not a distribution, for example of "
            f"{predictions['segment_id'].iloc[row]!r} with sum {values[row].sum():.4g}. Pass the softmax's outputs."
        )


def predicted(predictions: pd.DataFrame) -> pd.Series:
    """Return the most probable emotion of each row (str, same index); ties go to the first in EMOTIONS."""
    check_predictions(predictions)
    choice = np.asarray(EMOTIONS, dtype=object)[_probabilities(predictions).argmax(axis=1)]
    return pd.Series(choice, index=predictions.index, name="predicted")


def second_choices(predictions: pd.DataFrame) -> pd.Series:
    """Return the second most probable emotion of each row (str, same index; Figure 15); ties as in `predicted`."""
    check_predictions(predictions)
    order = np.argsort(-_probabilities(predictions), axis=1, kind="stable")
    return pd.Series(np.asarray(EMOTIONS, dtype=object)[order[:, 1]], index=predictions.index, name="second")


def clip_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return one row per clip, sorted by clip_id: the mean of its segments' probabilities, with segment_id = clip_id.

    The paper evaluates segments; a clip is what was labelled and what a user has.
    """
    check_predictions(predictions)
    described = predictions.groupby("clip_id", observed=True)[["subject", "emotion"]].nunique()
    mixed = described.index[(described > 1).any(axis=1)].tolist()
    if mixed:
        raise ValueError(f"clips with more than one subject or emotion: {mixed[:3]}. Make clip_id unique over corpora.")
    rules = {"subject": "first", "emotion": "first", "split": "first", **dict.fromkeys(PROBABILITIES, "mean")}
    exact = predictions.astype(dict.fromkeys(PROBABILITIES, np.float64))
    clips = exact.groupby("clip_id", as_index=False, sort=True, observed=True).agg(rules)
    return clips.assign(segment_id=clips["clip_id"])[list(COLUMNS)]


def summary(predictions: pd.DataFrame) -> dict[str, float]:
    """Return the metrics of the paper's Table 1, and the numbers needed to interpret them.

    Returns
    -------
    dict
        accuracy; precision, recall, fscore (macro averages, as in Table 1); uar (= recall); n (rows), n_clips,
        n_subjects; chance (a uniform guess, 1/7); majority (accuracy of always predicting the most frequent class).
    """
    classes = per_class(predictions)
    means = classes[["precision", "recall", "fscore"]].mean()  # skips the NaN of absent classes
    return {
        "accuracy": float(accuracy_score(_truth(predictions), predicted(predictions))),
        **{str(name): float(value) for name, value in means.items()},
        "uar": float(means["recall"]),
        "n": len(predictions),
        "n_clips": int(predictions["clip_id"].nunique()),
        "n_subjects": int(predictions["subject"].nunique()),
        "chance": CHANCE,
        "majority": float(classes["support"].max() / classes["support"].sum()),
    }


def per_class(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return precision, recall, fscore (float) and support (int) of each emotion (index EMOTIONS; Figure 9)."""
    precision, recall, fscore, support = precision_recall_fscore_support(
        _truth(predictions), predicted(predictions), labels=list(EMOTIONS), average=None, zero_division=0.0
    )
    table = pd.DataFrame({"precision": precision, "recall": recall, "fscore": fscore}, index=_index("emotion"))
    table[support == 0] = np.nan
    return table.assign(support=support.astype(int))


def per_subject(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy and n (rows) of each subject, sorted by subject (index)."""
    right = pd.DataFrame({"subject": predictions["subject"], "right": predicted(predictions) == predictions["emotion"]})
    table = right.groupby("subject", observed=True)["right"].agg(["mean", "size"])
    return table.set_axis(["accuracy", "n"], axis="columns")


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the 7 x 7 counts, true emotions as rows and predicted ones as columns, as in EMOTIONS (Figure 10)."""
    counts = confusion_matrix(_truth(predictions), predicted(predictions), labels=list(EMOTIONS))
    return pd.DataFrame(counts, index=_index("true"), columns=_index("predicted"))


def one_vs_rest(predictions: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return emotion -> int (2, 2) counts [[TN, FP], [FN, TP]] (Figures 11-14)."""
    tables = multilabel_confusion_matrix(_truth(predictions), predicted(predictions), labels=list(EMOTIONS))
    return dict(zip(EMOTIONS, tables, strict=True))


def bootstrap_interval(
    predictions: pd.DataFrame,
    metric: str = "accuracy",
    *,
    emotion: str | None = None,
    groups: str = "subject",
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a percentile interval of a metric from a cluster bootstrap over subjects.

    Segments of one person resemble each other, so whole subjects are drawn with replacement, as many as there are, and
    the metric is computed on the pooled rows of the drawn subjects. The interval shows how much the metric would vary
    with other people of the same kind, not with other training seeds. If the split is not speaker-independent, it
    describes known people only. With fewer than about 20 subjects percentile intervals are somewhat too narrow.

    Parameters
    ----------
    predictions
        Rows of one split. The values of `groups` must be unique over corpora.
    metric
        One of METRICS.
    emotion
        Take this class's precision, recall or fscore instead of the macro average.
    groups
        The column whose rows are drawn together.
    samples, level, seed
        Number of bootstrap samples, share of them inside the interval, seed of the draw.

    Returns
    -------
    (low, high)
        Both NaN for an emotion that has no rows and, with a warning, where all rows are of one group.

    Raises
    ------
    ValueError
        Unknown metric or emotion, a level outside (0, 1), or not a predictions table.
    """
    _check_metric(metric)
    if emotion is not None and emotion not in EMOTIONS:
        raise ValueError(f"unknown emotion {emotion!r}; choose from {list(EMOTIONS)}")
    if emotion is not None and metric in ("accuracy", "uar"):
        raise ValueError(f"{metric} is not defined for one emotion; choose precision, recall or fscore")
    drawn = _draw(predictions, groups=groups, samples=samples, seed=seed)
    values = drawn[metric] if emotion is None else drawn[f"{metric} of each"][:, EMOTIONS.index(emotion)]
    return _interval(values, level)


def class_intervals(
    predictions: pd.DataFrame,
    *,
    groups: str = "subject",
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the bootstrap intervals of the metrics of `per_class`, all from the same samples.

    Index EMOTIONS, columns precision_low, precision_high, recall_low, recall_high, fscore_low, fscore_high. The
    parameters are those of `bootstrap_interval`.
    """
    drawn = _draw(predictions, groups=groups, samples=samples, seed=seed)
    table = pd.DataFrame(index=_index("emotion"))
    for metric in ("precision", "recall", "fscore"):
        pairs = [_interval(values, level) for values in drawn[f"{metric} of each"].T]
        table[f"{metric}_low"], table[f"{metric}_high"] = zip(*pairs, strict=True)
    return table


def pool(divisions: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Return the predictions of several seeds (seed -> predictions of one split) as one table, to evaluate together.

    Segment and clip ids get the seed as a prefix: a clip that is tested with two seeds counts twice. Subjects keep
    their names, so a bootstrap draws a person with their rows of every seed.
    """
    if not divisions:
        raise ValueError("no predictions to pool; give those of at least one seed")
    parts = []
    for seed, table in divisions.items():
        check_predictions(table)
        ids = {column: f"{seed}:" + table[column].astype(str) for column in ("segment_id", "clip_id")}
        parts.append(table.assign(**ids))
    return pd.concat(parts, ignore_index=True)


def paired_difference(
    a: pd.DataFrame,
    b: pd.DataFrame,
    metric: str = "accuracy",
    *,
    groups: str = "subject",
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return (difference, low, high): a metric of `a` minus that of `b`, with the interval of a paired bootstrap.

    The bootstrap draws the same people for both, because whoever is easy for one run is mostly easy for the other. The
    tables must have the same people, but may have different segments. The parameters are those of `bootstrap_interval`.
    """
    _check_metric(metric)
    drawn = [_draw(table, groups=groups, samples=samples, seed=seed)[metric] for table in (a, b)]
    if odd := sorted(set(a[groups]) ^ set(b[groups])):
        raise ValueError(
            f"{len(odd)} values of {groups!r} appear in only one of the two tables, for example {odd[0]!r}. "
            "Compare runs with the same split and seed, or keep the rows of those in both."
        )
    return summary(a)[metric] - summary(b)[metric], *_interval(drawn[0] - drawn[1], level)


def calibration(predictions: pd.DataFrame, *, bins: int = 10) -> pd.DataFrame:
    """Return reliability bins of equal width over the confidence, the probability of the predicted emotion.

    Columns: low, high (edges: low < confidence <= high), count, confidence (mean), accuracy. The last two are NaN in an
    empty bin.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; give at least 1")
    right = (predicted(predictions) == predictions["emotion"]).astype(float)
    confidence = predictions[list(PROBABILITIES)].max(axis="columns")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(confidence.to_numpy(float) * bins).astype(int) - 1, 0, bins - 1)
    table = pd.DataFrame({"confidence": confidence.to_numpy(float), "accuracy": right.to_numpy()}).groupby(place).mean()
    return (
        table.reindex(range(bins))
        .assign(low=edges[:-1], high=edges[1:], count=np.bincount(place, minlength=bins))
        .rename_axis("bin")[["low", "high", "count", "confidence", "accuracy"]]
    )


def calibration_error(predictions: pd.DataFrame, *, bins: int = 10) -> float:
    """Return the expected calibration error: the gap between confidence and accuracy, averaged over all rows."""
    table = calibration(predictions, bins=bins)
    gap = (table["confidence"] - table["accuracy"]).abs().fillna(0)
    return float(np.average(gap, weights=table["count"]))


def mcnemar(a: pd.DataFrame, b: pd.DataFrame, *, level: Literal["clip", "segment"] = "clip") -> dict[str, Any]:
    """Compare two runs by McNemar's test on the clips (or segments) that only one of them gets right.

    Parameters
    ----------
    a, b
        Predictions of the two runs for the same segments, in any order.
    level
        "clip" averages each clip's segments first. "segment" takes segments for independent, which they are not: its
        p-value is too small.

    Returns
    -------
    dict
        n, both_right, only_a, only_b, both_wrong (counts), p_value, exact (bool: the exact binomial test, used for
        fewer than 25 discordant pairs; otherwise chi-squared with continuity correction).
    """
    if level not in ("clip", "segment"):
        raise ValueError(f"unknown level {level!r}; choose from ['clip', 'segment']")
    check_predictions(a)
    check_predictions(b)
    first, second = (table.set_index("segment_id") for table in (a, b))
    odd = first.index.symmetric_difference(second.index)
    if len(odd):
        raise ValueError(
            f"{len(odd)} segments appear in only one of the two tables, for example {odd[0]!r}. "
            "Compare runs with the same split and seed."
        )
    if (first["emotion"].astype(str) != second["emotion"].astype(str).reindex(first.index)).any():
        raise ValueError("some segments have different true emotions in the two tables. Compare runs on one data set.")
    if level == "clip":
        first, second = (clip_predictions(table).set_index("segment_id") for table in (a, b))
    second = second.reindex(first.index)
    right_a, right_b = (
        (predicted(table.reset_index()).to_numpy() == table["emotion"].to_numpy()) for table in (first, second)
    )
    counts = confusion_matrix(right_a, right_b, labels=[True, False])
    only_a, only_b = int(counts[0, 1]), int(counts[1, 0])
    exact = only_a + only_b < _EXACT_BELOW
    return {
        "n": len(first),
        "both_right": int(counts[0, 0]),
        "only_a": only_a,
        "only_b": only_b,
        "both_wrong": int(counts[1, 1]),
        "p_value": float(_mcnemar(counts, exact=exact, correction=True).pvalue),
        "exact": exact,
    }


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; choose from {list(METRICS)}")


def _truth(predictions: pd.DataFrame) -> np.ndarray:
    check_predictions(predictions)
    return predictions["emotion"].astype(str).to_numpy(dtype=object)


def _probabilities(predictions: pd.DataFrame) -> np.ndarray:
    return predictions[list(PROBABILITIES)].to_numpy(dtype=np.float64)


def _index(name: str) -> pd.Index:
    return pd.Index(EMOTIONS, name=name)


def _draw(predictions: pd.DataFrame, *, groups: str, samples: int, seed: int) -> dict[str, np.ndarray]:
    """Return the metrics of every bootstrap sample: float (samples,), or (samples, 7) for "... of each"."""
    if groups not in predictions:
        raise ValueError(f"no column {groups!r} to draw groups by; choose from {list(predictions.columns)}")
    if samples < 1:
        raise ValueError(f"samples is {samples}; give at least 1")
    truth, choice = _truth(predictions), predicted(predictions).to_numpy()
    group, names = pd.factorize(predictions[groups], sort=True)  # sorted, so that the order of rows doesn't matter
    if len(names) < 2:  # one person says nothing about others: no interval, rather than one without width
        warnings.warn(f"all rows are of one {groups} ({names[0]!r}), so there is no interval (NaN)", stacklevel=3)
    true, guess = (pd.Index(EMOTIONS).get_indexer(pd.Index(words)) for words in (truth, choice))
    counts = np.zeros((len(names), len(EMOTIONS), len(EMOTIONS)))  # one confusion matrix per group
    np.add.at(counts, (group, true, guess), 1)
    times = times_drawn(len(names), samples=samples, seed=seed)
    drawn = _metrics(np.tensordot(times, counts, axes=1))
    return drawn if len(names) > 1 else {metric: np.full_like(values, np.nan) for metric, values in drawn.items()}


def _metrics(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return metrics of stacked confusion matrices (S, 7, 7), for which scikit-learn would need a loop.

    A test compares them with `summary` and `per_class`.
    """
    hits = np.diagonal(counts, axis1=1, axis2=2)
    support, chosen = counts.sum(axis=2), counts.sum(axis=1)
    present = support > 0
    missing = np.full(hits.shape, np.nan)
    recall = np.divide(hits, support, out=missing.copy(), where=present)
    precision = np.where(present, hits / np.maximum(chosen, 1), np.nan)
    fscore = np.divide(2 * hits, support + chosen, out=missing.copy(), where=present)
    each = {"precision": precision, "recall": recall, "fscore": fscore}
    means = {name: np.nanmean(values, axis=1) for name, values in each.items()}
    accuracy = hits.sum(axis=1) / counts.sum(axis=(1, 2))
    return {"accuracy": accuracy, **means, "uar": means["recall"], **{f"{k} of each": v for k, v in each.items()}}


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a share between 0 and 1, such as 0.95")
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
