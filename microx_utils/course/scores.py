"""Tables of scores and of paired differences, as the analysis notebooks print and draw them (paper, section VI)."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, permutation_test
from statsmodels.stats.multitest import multipletests

from microx_utils.evaluation import bootstrap_interval, paired_difference, pool, predicted, summary
from microx_utils.training import Run


def tested_rows(run: Run) -> pd.DataFrame:
    """Return a run's test predictions, with an index from 0."""
    return run.predictions.query("split == 'test'").reset_index(drop=True)


def pooled_test_rows(runs: Iterable[Run]) -> pd.DataFrame:
    """Return the test predictions of one experiment's runs, one per seed, as one table (see `evaluation.pool`)."""
    return pool({run.experiment.seed: tested_rows(run) for run in runs})


def seed_accuracies(pooled: pd.DataFrame) -> pd.Series:
    """Return the accuracy of each seed of a table that `evaluation.pool` made; the index is the seed, as text."""
    right = predicted(pooled) == pooled["emotion"]
    return right.groupby(pooled["segment_id"].str.split(":").str[0]).mean()


def score_table(tables: Mapping[str, pd.DataFrame], *, samples: int, seed: int) -> pd.DataFrame:
    """Return one row of scores per predictions table.

    Parameters
    ----------
    tables
        Label -> predictions of one split.
    samples, seed
        Of the bootstrap over subjects, as in `evaluation.bootstrap_interval`.

    Returns
    -------
    DataFrame
        accuracy, low, high (its 95 % interval), UAR, n (segments), clips, subjects; the labels are the index.
    """
    rows = {}
    for label, table in tables.items():
        found = summary(table)
        low, high = bootstrap_interval(table, samples=samples, seed=seed)
        rows[label] = {"accuracy": found["accuracy"], "low": low, "high": high, "UAR": found["uar"]}
        rows[label] |= {"n": found["n"], "clips": found["n_clips"], "subjects": found["n_subjects"]}
    return pd.DataFrame.from_dict(rows, orient="index").astype({"n": int, "clips": int, "subjects": int})


_POWER = float(norm.ppf(0.975) + norm.ppf(0.8))  # standard errors that a difference must have to be found 4 times of 5


def split_by_facts(predictions: pd.DataFrame, facts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return all rows, and those of the people of whom each fact is true, by "fact: value", unless it is one person.

    Parameters
    ----------
    predictions
        Predictions of one split.
    facts
        Facts of people, in words, a column each; the subject is the index. Without columns there is only "everybody".
    """
    groups = {"everybody": predictions}
    of_each = facts.reindex(predictions["subject"])
    for fact in facts.columns:
        for value in sorted(of_each[fact].dropna().unique()):
            rows = predictions[(of_each[fact] == value).to_numpy()].reset_index(drop=True)
            if len(set(rows["subject"])) > 1:
                groups[f"{fact}: {value}"] = rows
    return groups


def difference_table(
    pairs: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], *, samples: int, seed: int
) -> pd.DataFrame:
    """Return the difference in accuracy of each pair of predictions tables, on the subjects that both tested.

    Parameters
    ----------
    pairs
        Label -> (a, b); the difference is a's accuracy minus b's.
    samples, seed
        Of the paired bootstrap, as in `evaluation.paired_difference`.

    Returns
    -------
    DataFrame
        difference, low, high (its 95 % interval); verdict: "higher", "lower", or "not settled" if the interval holds
        zero; p (`people_test`), and p_holm, corrected for the number of rows (Holm 1979); detectable, the least true
        difference that so many people would show in four studies of five. The labels are the index. NaN where one
        person was tested.

    Raises
    ------
    ValueError
        The two tables of a pair have no subject in common.
    """
    rows = {}
    for label, (a, b) in pairs.items():
        both = set(a["subject"]) & set(b["subject"])
        if not both:
            raise ValueError(f"{label}: the two tables share no subject; compare runs with the same split and seed")
        a, b = (table[table["subject"].isin(both)].reset_index(drop=True) for table in (a, b))
        difference, low, high = paired_difference(a, b, samples=samples, seed=seed)
        verdict = "higher" if low > 0 else "lower" if high < 0 else "not settled"
        rows[label] = {"difference": difference, "low": low, "high": high, "verdict": verdict}
        rows[label] |= {"p": people_test(a, b, seed=seed), "p_holm": np.nan}
        rows[label]["detectable"] = _POWER * (high - low) / (2 * norm.ppf(0.975))
    table = pd.DataFrame.from_dict(rows, orient="index")
    known = table["p"].notna()
    table.loc[known, "p_holm"] = multipletests(table.loc[known, "p"], method="holm")[1] if known.any() else np.nan
    return table


def people_test(a: pd.DataFrame, b: pd.DataFrame, *, samples: int = 9999, seed: int = 0) -> float:
    """Return the p-value of a difference in accuracy between two predictions tables of the same people; NaN for one.

    If `a` and `b` were equally good, it would be chance for each person which of them has more right: the sign of each
    person's part of the difference is drawn anew, `samples` times (all ways, where they are fewer). Unlike McNemar's
    test this doesn't take the segments of one person for independent.
    """
    parts = [(predicted(table) == table["emotion"]).groupby(table["subject"]).sum() / len(table) for table in (a, b)]
    own = (parts[0] - parts[1]).to_numpy(float)
    if len(own) < 2:
        return float("nan")
    draw = {"permutation_type": "samples", "n_resamples": samples, "rng": np.random.default_rng(seed)}
    found = permutation_test((own, np.zeros_like(own)), lambda x, y, axis: (x - y).sum(axis=axis), **draw)
    return float(found.pvalue)


def interval_words(low: Any, high: Any, form: str = "{:.1%}") -> str:
    """Return an interval as text; where one person was tested there is none (NaN).

    >>> interval_words(0.31, 0.424), interval_words(float("nan"), float("nan"))
    ('31.0% to 42.4%', 'no interval')
    """
    return "no interval" if pd.isna(low) else f"{form.format(low)} to {form.format(high)}"


def in_words(values: pd.Series, form: str = "{:.1%}") -> str:
    """Return a column of a table as text, for alt texts and notes; the first line of a label stands for it.

    >>> in_words(pd.Series({"parts": 0.342, "face\\n(whole)": 0.2}))
    'parts 34.2%; face 20.0%'
    """
    return "; ".join(f"{str(label).splitlines()[0]} {form.format(value)}" for label, value in values.items())
