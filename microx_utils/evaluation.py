"""Every metric, from the table of predictions (paper, section V).

A predictions table has one row a segment (or, after `clip_predictions`, one row a clip) of ONE split:
`segment_id, clip_id, subject, emotion, split` and the seven probabilities `p_neutral .. p_sad`.

A class that the rows do not hold has no recall, so it has no metrics (NaN) and takes no part in macro averages;
a class that is there but never predicted has precision 0 and does count. Unweighted average recall (UAR), the
field's name for balanced accuracy, is the macro recall.
"""

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

COLUMNS = ("segment_id", "clip_id", "subject", "emotion", "split", *PROBABILITIES)
"""The columns of a predictions table."""

METRICS = ("accuracy", "precision", "recall", "fscore", "uar")
"""What `bootstrap_interval` can resample; precision, recall and fscore also for one emotion."""

_EXACT_BELOW = 25  # discordant pairs; under this the chi-squared approximation of McNemar's test is poor


def check_predictions(predictions: pd.DataFrame) -> None:
    """Raise ValueError, saying what was found, wanted and to be done, unless this is a table of predictions.

    Checked: the columns, at least one row, unique segment ids, one split, known emotions, probabilities in
    [0, 1] that add up to one (within 0.001).
    """
    missing = [column for column in COLUMNS if column not in predictions]
    if missing:
        raise ValueError(f"predictions lack the columns {missing}; wanted {list(COLUMNS)}. Pass Run.predictions.")
    if predictions.empty:
        raise ValueError("predictions have no rows; wanted one or more. Check which split was selected.")
    repeated = predictions.loc[predictions["segment_id"].duplicated(), "segment_id"].unique().tolist()
    if repeated:
        raise ValueError(
            f"{len(repeated)} segment ids stand more than once, for example {repeated[0]!r}; wanted each once. "
            "Evaluate one run at a time."
        )
    splits = sorted(predictions["split"].astype(str).unique())
    if len(splits) > 1:
        raise ValueError(
            f"rows of several splits {splits}; wanted one. Select it: predictions[predictions['split'] == 'test']."
        )
    unknown = sorted(set(predictions["emotion"].astype(str)) - set(EMOTIONS))
    if unknown:
        raise ValueError(f"unknown emotions {unknown}; wanted {list(EMOTIONS)}. Map them with labels.emotion_of.")
    values = _probabilities(predictions)
    bad = ~((values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-3))  # NaN is bad too
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{int(bad.sum())} rows whose probabilities are not a distribution, for example "
            f"{predictions['segment_id'].iloc[row]!r} with sum {values[row].sum():.4g}; wanted seven numbers of at "
            "least 0 that add up to 1. Pass the outputs of the softmax."
        )


def predicted(predictions: pd.DataFrame) -> pd.Series:
    """Return the most probable emotion of each row (str, same index); a tie goes to the first in EMOTIONS."""
    check_predictions(predictions)
    choice = np.asarray(EMOTIONS, dtype=object)[_probabilities(predictions).argmax(axis=1)]
    return pd.Series(choice, index=predictions.index, name="predicted")


def second_choices(predictions: pd.DataFrame) -> pd.Series:
    """Return the second most probable emotion of each row (str, same index; Figure 15); ties as in `predicted`."""
    check_predictions(predictions)
    order = np.argsort(-_probabilities(predictions), axis=1, kind="stable")
    return pd.Series(np.asarray(EMOTIONS, dtype=object)[order[:, 1]], index=predictions.index, name="second")


def clip_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return one row a clip: the mean of its segments' probabilities. Columns as given; segment_id = clip_id.

    Rows are sorted by clip_id. The paper counts segments; a clip is what was labelled and what a user shows.
    """
    check_predictions(predictions)
    described = predictions.groupby("clip_id", observed=True)[["subject", "emotion"]].nunique()
    mixed = described.index[(described > 1).any(axis=1)].tolist()
    if mixed:
        raise ValueError(
            f"clips with more than one subject or emotion: {mixed[:3]}; wanted one each. "
            "Make clip_id unique over all corpora."
        )
    rules = {"subject": "first", "emotion": "first", "split": "first", **dict.fromkeys(PROBABILITIES, "mean")}
    exact = predictions.astype(dict.fromkeys(PROBABILITIES, np.float64))
    clips = exact.groupby("clip_id", as_index=False, sort=True, observed=True).agg(rules)
    return clips.assign(segment_id=clips["clip_id"])[list(COLUMNS)]


def summary(predictions: pd.DataFrame) -> dict[str, float]:
    """Return the paper's Table 1 and what is needed to read it.

    Returns
    -------
    dict
        accuracy; precision, recall, fscore (macro averages, as Table 1's); uar (= recall); n (rows), n_clips,
        n_subjects; chance (a uniform guess, 1/7); majority (accuracy of always naming the most frequent class).
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
    """Return the 7x7 counts, rows true and columns predicted, both in the order of EMOTIONS (Figure 10)."""
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

    Segments of one person resemble each other, so whole subjects are drawn, with replacement, as many as there
    are; each sample's metric comes from the pooled rows of the drawn subjects. The interval tells how much the
    number would move with other people of the same kind, not with other training seeds. When the split let
    subjects stand in training and test, it still resamples subjects, but it describes known people only. With fewer
    than about 20 subjects percentile intervals are somewhat too narrow.

    Parameters
    ----------
    predictions
        Rows of one split. The values of `groups` must be unique over corpora.
    metric
        One of METRICS.
    emotion
        One class's precision, recall or fscore, in place of the macro average.
    groups
        The column whose values are drawn together.
    samples, level, seed
        Bootstrap samples, share of them inside the interval, seed of the draw.

    Returns
    -------
    (low, high)
        Both NaN for an emotion that no row has.

    Raises
    ------
    ValueError
        An unknown metric or emotion, fewer than two groups, a level outside (0, 1) or a bad table.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; choose from {list(METRICS)}")
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
    """Return the bootstrap intervals behind `per_class`, all from one draw.

    Index EMOTIONS, columns precision_low, precision_high, recall_low, recall_high, fscore_low, fscore_high; the rest
    as in `bootstrap_interval`.
    """
    drawn = _draw(predictions, groups=groups, samples=samples, seed=seed)
    table = pd.DataFrame(index=_index("emotion"))
    for metric in ("precision", "recall", "fscore"):
        pairs = [_interval(values, level) for values in drawn[f"{metric} of each"].T]
        table[f"{metric}_low"], table[f"{metric}_high"] = zip(*pairs, strict=True)
    return table


def pool(divisions: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Return the predictions of several seeds as one table, for scores over all of them.

    A seed's number goes in front of its segment and clip ids: a clip tested under two seeds counts twice. Subjects keep
    their names, so a bootstrap that draws a person draws the person's rows of every seed.

    Parameters
    ----------
    divisions
        Seed -> predictions of one split.
    """
    if not divisions:
        raise ValueError("no predictions to pool; wanted those of one seed or more")
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
    """Return a metric of `a` minus that of `b`, and its interval from a bootstrap that draws the same people for both.

    A person who is easy for one run is most often easy for the other; drawn in pairs, this cancels. The segments may
    differ (another split rule), the people may not.

    Parameters
    ----------
    a, b
        Predictions of two runs. The other parameters are those of `bootstrap_interval`.

    Returns
    -------
    (difference, low, high)
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; choose from {list(METRICS)}")
    drawn = [_draw(table, groups=groups, samples=samples, seed=seed)[metric] for table in (a, b)]
    odd = sorted(set(a[groups]) ^ set(b[groups]))
    if odd:
        raise ValueError(
            f"{len(odd)} values of {groups!r} stand in only one of the two tables, for example {odd[0]!r}; wanted the "
            "same. Compare runs with the same split and seed, or keep the rows of those in both."
        )
    return summary(a)[metric] - summary(b)[metric], *_interval(drawn[0] - drawn[1], level)


def calibration(predictions: pd.DataFrame, *, bins: int = 10) -> pd.DataFrame:
    """Return reliability bins of equal width over the confidence, the probability of the predicted emotion.

    Columns: low, high (bin edges; a bin holds low < confidence <= high), count, confidence (mean), accuracy; the last
    two are NaN in an empty bin.
    """
    if bins < 1:
        raise ValueError(f"bins = {bins}; wanted 1 or more")
    confidence = predictions[list(PROBABILITIES)].max(axis="columns")
    right = (predicted(predictions) == predictions["emotion"]).astype(float)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(confidence.to_numpy(float) * bins).astype(int) - 1, 0, bins - 1)
    table = pd.DataFrame({"confidence": confidence.to_numpy(float), "accuracy": right.to_numpy()}).groupby(place).mean()
    return (
        table.reindex(range(bins))
        .assign(low=edges[:-1], high=edges[1:], count=np.bincount(place, minlength=bins))
        .rename_axis("bin")[["low", "high", "count", "confidence", "accuracy"]]
    )


def calibration_error(predictions: pd.DataFrame, *, bins: int = 10) -> float:
    """Return the expected calibration error: mean gap between confidence and accuracy, bins weighted by count."""
    table = calibration(predictions, bins=bins)
    gap = (table["confidence"] - table["accuracy"]).abs().fillna(0)
    return float(np.average(gap, weights=table["count"]))


def mcnemar(a: pd.DataFrame, b: pd.DataFrame, *, level: Literal["clip", "segment"] = "clip") -> dict[str, Any]:
    """Compare two runs on the same rows by McNemar's test on the rows that only one of them gets right.

    Parameters
    ----------
    a, b
        Predictions of the two runs, in any order, of the same segments.
    level
        "clip" averages each clip's segments first. "segment" treats them as independent, which they are not, so its
        p-value is too small.

    Returns
    -------
    dict
        n, both_right, only_a, only_b, both_wrong (counts), p_value, exact (bool: binomial test, used with fewer than 25
        discordant pairs; else chi-squared with continuity correction).
    """
    if level not in ("clip", "segment"):
        raise ValueError(f"unknown level {level!r}; choose from ['clip', 'segment']")
    check_predictions(a)
    check_predictions(b)
    first, second = (table.set_index("segment_id") for table in (a, b))
    odd = first.index.symmetric_difference(second.index)
    if len(odd):
        raise ValueError(
            f"{len(odd)} segments stand in only one of the two tables, for example {odd[0]!r}; wanted the same "
            "segments. Compare runs with the same split and seed."
        )
    if (first["emotion"].astype(str) != second["emotion"].astype(str).reindex(first.index)).any():
        raise ValueError("the two tables give some segments different true emotions; wanted the same labels.")
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
        raise ValueError(f"no column {groups!r} to draw groups by; found {list(predictions.columns)}")
    if samples < 1:
        raise ValueError(f"samples = {samples}; wanted 1 or more")
    truth, choice = _truth(predictions), predicted(predictions).to_numpy()
    group, names = pd.factorize(predictions[groups], sort=True)  # sorted: the order of rows must not matter
    if len(names) < 2:
        raise ValueError(
            f"all rows belong to one {groups} ({names[0]!r}); wanted two or more. "
            "An interval over people needs several people in the split."
        )
    true, guess = (pd.Index(EMOTIONS).get_indexer(pd.Index(words)) for words in (truth, choice))
    counts = np.zeros((len(names), len(EMOTIONS), len(EMOTIONS)))  # a confusion matrix for each group
    np.add.at(counts, (group, true, guess), 1)
    times = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=samples)
    return _metrics(np.tensordot(times, counts, axes=1))


def _metrics(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return metrics of stacked confusion matrices (S, 7, 7); scikit-learn's have no stacked form.

    A test holds them equal to `summary` and `per_class`.
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
        raise ValueError(f"level = {level}; wanted a share between 0 and 1, such as 0.95")
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
