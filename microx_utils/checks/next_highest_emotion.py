"""The exercises of notebook 07."""

from typing import Any

import numpy as np
import pandas as pd

from microx_utils.checks.verdict import Verdict, check, compare, wrong
from microx_utils.evaluation import predicted, second_choices
from microx_utils.labels import EMOTIONS, PROBABILITIES


@check
def runner_up(name: str, share: float, by_class: float, *, common: str, counts: pd.DataFrame, q: pd.Series) -> Verdict:
    """Check the most frequent second choice after `common`, its share, and the share that class frequencies give it.

    Parameters
    ----------
    name, share, by_class
        The answers. Of several emotions that are equally often second, any is right.
    counts
        Second choices (columns) by first choice (rows).
    q
        Each class's share of the training segments.
    """
    row, column = counts.loc[common] / counts.loc[common].sum(), counts[common]
    most = [str(emotion) for emotion, part in row.items() if part == row.max()]
    named = name if name in most else most[0]
    mistakes = {
        f"You read the column of {common}: that is after which emotion {common} comes second.": {
            "runner_up": column.idxmax()
        },
        "That is the class with most training segments; the counts say what came second.": {"runner_up": q.idxmax()},
        f"That is a share of all segments. Divide by those that are predicted as {common}.": {
            "share": counts.loc[common, named] / counts.to_numpy().sum()
        },
        f"That is the number of segments; divide it by those that are predicted as {common}.": {
            "share": counts.loc[common, named]
        },
        f"{common} is out of the running for its own second place: divide by what the other six have together.": {
            "by_class": q[named]
        },
        "One sixth would be right if all classes were equally common.": {"by_class": 1 / 6},
        f"Divide by the share of the other six, not by that of {common}.": {"by_class": q[named] / q[common]},
    }
    expected = q[named] / (1 - q[common])
    praise = (
        f"{row.max():.0%} against {expected:.0%}. Whether the difference is more than luck, the intervals over people "
        f"say, and whether {named} comes second everywhere, the habit."
    )
    given = {"runner_up": name, "share": share, "by_class": by_class}
    wanted = {"runner_up": named, "share": row.max(), "by_class": expected}
    return compare(given, wanted, mistakes=mistakes, praise=praise)


@check
def amounts(given: Any, *, pooled: pd.DataFrame) -> Verdict:
    """Check the mean probability of every other emotion, for each predicted one, scaled so that a row adds up to 1.

    Parameters
    ----------
    given
        Rows: the emotions that are predicted at all. Columns: EMOTIONS. What stands on the diagonal may be missing.
    pooled
        A predictions table.
    """
    if not isinstance(given, pd.DataFrame) or not set(EMOTIONS) <= set(given.columns):
        return wrong("amounts should be a table with a column for each of EMOTIONS and a row for each predicted one.")
    values = pooled[list(PROBABILITIES)].astype(float).set_axis(EMOTIONS, axis="columns")
    first, others = predicted(pooled), ~np.eye(len(EMOTIONS), dtype=bool)

    def table(means: pd.DataFrame) -> np.ndarray:
        return means.reindex(index=EMOTIONS, columns=EMOTIONS).fillna(0).to_numpy(float)

    def scaled(means: np.ndarray) -> np.ndarray:
        sums = means.sum(axis=1, keepdims=True)
        return np.divide(means, sums, out=np.zeros_like(means), where=sums > 0)

    by_answer, by_label = (table(values.groupby(by).mean()) for by in (first, pooled["emotion"]))
    apart = values.where(pd.get_dummies(first).reindex(columns=EMOTIONS, fill_value=False).eq(0).to_numpy(), 0)
    places = table(pd.crosstab(first, second_choices(pooled)))
    wanted = scaled(by_answer * others)
    mistakes = {
        "Each emotion's own probability is still in its row. Take it out, then divide.": by_answer,
        "The six of a row don't add up to 1 yet: divide each by their sum.": by_answer * others,
        "Your rows are the labels; wanted are the emotions that were predicted.": scaled(by_label * others),
        "Those are shares of places, as in the matrix above. Amounts are probabilities.": scaled(places),
        "You divided each segment by its own sum, so that one sure answer counts like ten unsure ones. Take the means "
        "first, then divide.": table(apart.div(apart.sum(axis=1), axis=0).groupby(first).mean()),
    }
    rows = wanted.any(axis=1)
    same = int((wanted.argmax(axis=1) == places.argmax(axis=1))[rows].sum())
    praise = f"In {same} of {rows.sum()} rows the largest amount belongs to the most frequent second choice."
    if same < rows.sum():
        praise += " In the others, an emotion that is often second is so by a hair."
    return compare(table(given), wanted, mistakes=mistakes, praise=praise, tolerance=1e-5)
