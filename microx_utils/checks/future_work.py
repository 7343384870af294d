"""The exercises of notebook 13."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from microx_utils.checks.verdict import Verdict, agree, call, check, compare, is_number, plain, wrong
from microx_utils.evaluation import summary
from microx_utils.labels import PROBABILITIES
from microx_utils.rivals.combinations import fuse

EYES = ("left_eye", "right_eye")


@check
def joined_eyes(given: Any, *, validation: Mapping[str, pd.DataFrame], tests: Mapping[str, pd.DataFrame]) -> Verdict:
    """Check the two eyes' probabilities joined by the mean of their logarithms, (n, 7), on validation people.

    Parameters
    ----------
    validation, tests
        Component -> predictions of the network that saw it alone.
    """
    columns = list(PROBABILITIES)

    def joined(tables: Mapping[str, pd.DataFrame]) -> np.ndarray:
        return fuse([tables[eye] for eye in EYES])[columns].to_numpy()

    one, other = (validation[eye][columns].to_numpy(float) for eye in EYES)
    roots = np.sqrt(one * other)
    wanted = roots / roots.sum(axis=1, keepdims=True)  # `fuse` counts zeros as 1e-7, which is as good
    if agree(plain(given), joined(validation), 1e-5):
        given = wanted
    if np.shape(given) == joined(tests).shape and np.allclose(given, joined(tests), atol=1e-5):
        return wrong(
            "Those are test people. Whoever looks at them for each idea, and goes on with the better ones, chooses on "
            "them."
        )
    mistakes = {
        "The rows don't add up to 1 yet: divide each by its sum.": roots,
        "You divided by the sums of the columns; each row has to add up to 1.": roots / roots.sum(axis=0),
        "You divided by the sum of all segments; each row has to add up to 1.": roots / roots.sum(),
        "That is the mean of the probabilities; wanted is that of their logarithms.": (one + other) / 2,
        "Those are the logarithms; turn them into probabilities by np.exp.": np.log(roots),
        "That is the product: the sum of the logarithms, not their mean.": roots**2
        / (roots**2).sum(axis=1, keepdims=True),
    }
    tables = {"joined": fuse([validation[eye] for eye in EYES])} | {eye: validation[eye] for eye in EYES}
    scores = {name: summary(table)["accuracy"] for name, table in tables.items()}
    praise = (
        f"On validation people the left eye is right about {scores['left_eye']:.1%}, the right one about "
        f"{scores['right_eye']:.1%}, and the two joined about {scores['joined']:.1%}. Where two see much the same, "
        "there is little to add."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise, tolerance=1e-5)


@check
def luck_of_the_best(function: Callable[..., Any], *, scores: pd.Series, n: int) -> Verdict:
    """Check a function of candidates, segments and their accuracy: the mean of the best one's share, above accuracy.

    It simulates; the check knows the exact value. `scores` are the notebook's candidates, on `n` segments.
    """
    accuracy = float(scores.mean())
    sizes = (7, len(scores))
    given = {size: call(function, size, n, accuracy) for size in sizes}
    wanted = {size: expected_best(size, n, accuracy) for size in sizes}
    spread = np.sqrt(accuracy * (1 - accuracy) / n)
    tolerance = max(0.003, 0.1 * spread)
    if agree({size: each / n for size, each in given.items() if is_number(each)}, wanted, tolerance):
        return wrong("Those are segments; wanted is a share of them.")
    mistakes = {
        "On average over candidates nobody leads. Take the best of each contest first, then the mean.": dict.fromkeys(
            sizes, 0.0
        ),
        "That is the best one's accuracy; wanted is by how much it exceeds that of all.": {
            size: each + accuracy for size, each in wanted.items()
        },
        "That is one standard error of a single candidate, however many there are.": dict.fromkeys(sizes, spread),
    }
    lead = scores.max() - accuracy
    praise = (
        f"With {len(scores)} candidates and {n} segments, luck alone makes a lead of "
        f"{100 * wanted[len(scores)]:.1f} points; with seven, {100 * wanted[7]:.1f}. Above, the winner leads by "
        f"{100 * lead:.1f}. The real candidates share components, so they are right and wrong together, which means "
        "less luck; so are the segments of a clip, which means more."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise, tolerance=tolerance)


def expected_best(candidates: int, n: int, accuracy: float) -> float:
    """Return by how much the best of so many equally good candidates exceeds their accuracy, on average."""
    below = binom.cdf(np.arange(n), n, accuracy) ** candidates  # the best has at most 0, 1, ... n - 1 right
    return float((1 - below).sum() / n - accuracy)
