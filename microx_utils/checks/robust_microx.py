"""The exercises of notebook 15."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from microx_utils.checks.verdict import Verdict, call, check, compare
from microx_utils.components import COMPONENTS
from microx_utils.course.scores import interval_words
from microx_utils.evaluation import summary
from microx_utils.labels import EMOTIONS
from microx_utils.robust.judging import mask_costs

EYES = ["left_eye", "right_eye"]


@check
def weights_left(given: Any, *, weights: NDArray[np.float32]) -> Verdict:
    """Check the weights of the other five components when both eyes are hidden; `weights` are those of all seven."""
    every = pd.Series(np.asarray(weights, float), index=COMPONENTS)
    kept = every.drop(EYES)
    wanted, gone = kept / kept.sum(), every[EYES].sum()
    mistakes = {
        "Those are the old weights. They no longer add up to one: the sum in the denominator has changed, too.": kept,
        "You gave each the same share of what the eyes leave. In the formula all grow by one factor, so the heavy ones "
        "gain most.": kept + gone / len(kept),
        "You took a softmax of weights that are no scores. The exponential has been taken already.": pd.Series(
            softmax(kept.to_numpy()), index=kept.index
        ),
        "You divided by what the eyes weighed; divide by what the others weigh together.": kept / gone,
    }
    praise = (
        f"The eyes had {gone:.0%} of the weight, so each of the others grows by a factor of {1 / kept.sum():.2f}. The "
        f"heaviest is now the {str(wanted.idxmax()).replace('_', ' ')} with {wanted.max():.0%}."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise, tolerance=0.01)


@check
def points_saved(
    function: Callable[..., Any],
    *,
    robust: tuple[pd.DataFrame, pd.DataFrame],
    published: tuple[pd.DataFrame, pd.DataFrame],
    samples: int,
    seed: int,
) -> Verdict:
    """Check a function of four tables (without and with a mask, of two systems) to the points that a mask costs less.

    It is tried on the notebook's pairs (`robust`, `published`), and on tables made of them, in which no cost is zero.
    """
    first, other = (pair[0].assign(**_sure(pair[0])) for pair in (robust, published))  # always right
    made = (first, robust[0], published[1], other)  # one loses by its mask, the other gains: no two mistakes agree
    cases = {"the notebook's": (*robust, *published), "others": made}
    given = {name: call(function, *tables) for name, tables in cases.items()}
    scores = {name: [summary(table)["accuracy"] for table in tables] for name, tables in cases.items()}
    wanted = {name: 100 * ((c - d) - (a - b)) for name, (a, b, c, d) in scores.items()}
    mistakes = {
        "The sign: positive should mean that the first system loses less.": {k: -v for k, v in wanted.items()},
        "That is a share; give points, of 100.": {k: v / 100 for k, v in wanted.items()},
        "That compares the two with a mask on. It says who is better then, not who lost less.": {
            k: 100 * (b - d) for k, (_, b, _, d) in scores.items()
        },
        "That compares the two without a mask.": {k: 100 * (a - c) for k, (a, _, c, _) in scores.items()},
        "That is what a mask costs the first system alone.": {k: 100 * (a - b) for k, (a, b, _, _) in scores.items()},
        "You added the two costs.": {k: 100 * ((c - d) + (a - b)) for k, (a, b, c, d) in scores.items()},
    }
    pairs = {"robust": robust, "published": published}
    row = mask_costs(pairs, reference="published", samples=samples, seed=seed).loc["robust"]
    low, high = 100 * row[["saved_low", "saved_high"]]
    praise = (
        f"A mask costs the robust model {100 * row['cost']:.1f} points and the published design "
        f"{100 * (row['saved'] + row['cost']):.1f}. Saved: "
        f"{100 * row['saved']:+.1f} points, 95 % interval over people: {interval_words(low, high, '{:+.1f}')}. A "
        "difference of differences has four sources of noise, so its interval is wide."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise, tolerance=1e-3)


def _sure(rows: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Return probabilities that are always right."""
    return {f"p_{emotion}": (rows["emotion"] == emotion).astype(float).to_numpy() for emotion in EMOTIONS}
