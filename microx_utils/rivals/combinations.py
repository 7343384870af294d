"""Fuse the predictions of networks that each saw one component, and choose which to fuse (section VII).

Fusion is late: nothing is trained again, so the seven runs of Table 6 give every set of components, and a component
that is hidden in a video is simply left out.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from microx_utils.components import block_parts
from microx_utils.evaluation import PROBABILITIES, check_predictions, predicted

FLOOR = 1e-7
"""Smaller probabilities count as this: one network's zero must not overrule all the others."""


def fuse(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one predictions table: the mean of the logarithms of several tables' probabilities, as probabilities.

    This is the geometric mean: an emotion scores high only if no table calls it very unlikely.

    Parameters
    ----------
    tables
        Predictions of the same segments, in any order. Rows of one split.

    Returns
    -------
    A predictions table with the segments in the first one's order.

    Raises
    ------
    ValueError
        No table, a table that is not of predictions, or tables of different segments or labels.
    """
    if not len(tables):
        raise ValueError("there is no predictions table to fuse; give one or more")
    for table in tables:
        check_predictions(table)
    ids, first = tables[0]["segment_id"], tables[0].reset_index(drop=True)
    aligned = [table.set_index("segment_id").reindex(ids) for table in tables]
    for table, rows in zip(tables, aligned, strict=True):
        if len(table) != len(ids) or rows["emotion"].isna().any():
            raise ValueError("the tables hold different segments; fuse runs with the same split and seed")
        if (rows["emotion"].to_numpy() != first["emotion"].to_numpy()).any():
            raise ValueError("the tables give some segments different emotions; wanted the same labels")
    logs = np.mean([np.log(rows[list(PROBABILITIES)].to_numpy(np.float64).clip(FLOOR)) for rows in aligned], axis=0)
    joined = np.exp(logs - logs.max(axis=1, keepdims=True))
    first[list(PROBABILITIES)] = joined / joined.sum(axis=1, keepdims=True)
    return first


def right_answers(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return which segments each combination of components gets right; seven components have 127 combinations.

    Parameters
    ----------
    tables
        Component -> predictions of the run that saw it alone; the same segments in each.

    Returns
    -------
    DataFrame
        bool, one row per segment in the first table's order (index segment_id), one column per combination such as
        "left_eye+mouth"; smaller combinations first. Its `mean()` is their accuracy.
    """
    first = next(iter(tables.values()))
    columns = {
        "+".join(chosen): (predicted(fuse([tables[name] for name in chosen])) == first["emotion"].to_numpy()).to_numpy()
        for size in range(1, len(tables) + 1)
        for chosen in combinations(tables, size)
    }
    return pd.DataFrame(columns, index=pd.Index(first["segment_id"]))


def best(accuracies: pd.Series, available: Sequence[str] | None = None) -> str:
    """Return the combination with the highest accuracy; ties go to the smaller one.

    Parameters
    ----------
    accuracies
        Combination -> accuracy, of validation rows: `right_answers(...).mean()`.
    available
        Components that may be used; None means all.

    Raises
    ------
    ValueError
        No combination is made of available components only.

    >>> scores = pd.Series({"nose": 0.3, "mouth": 0.6, "nose+mouth": 0.6})
    >>> best(scores), best(scores, available=["nose"])
    ('mouth', 'nose')
    """
    allowed = [name for name in accuracies.index if available is None or set(block_parts(name)) <= set(available)]
    if not allowed:
        raise ValueError(f"no combination is made of {list(available or [])} only; known are {list(accuracies.index)}")
    return max(allowed, key=lambda name: (accuracies[name], -len(block_parts(name))))
