"""The exercises of notebook 09."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, binomtest

from microx_utils.checks.verdict import Verdict, call, check, compare, right, wrong

WANTED = 0.95
"""The share of faces that a mask detector has to be right about."""

LOST, GAINED = 0.12, 0.04
"""Shares of the takes that a mask makes wrong, and right, in the simulated studies."""

LARGEST = 500
"""Studies have fewer pairs than this."""


@check
def mask_detector(function: Callable[..., Any], *, faces: NDArray[np.uint8], recordings: pd.DataFrame) -> Verdict:
    """Check a function from crops, uint8 (n, 7, size, size, 3), to a number for each face, larger for masked ones.

    It is tried on `faces`, one of each recording. The threshold is chosen on every second person; it has to hold for
    the others, in this light and in half of it.
    """
    masked, people = (recordings["condition"] == "mask").to_numpy(), recordings["subject"]
    numbers, dimmed = (np.asarray(call(function, crops)) for crops in (faces, faces // 2))
    if numbers.shape != masked.shape or numbers.dtype.kind not in "iuf":
        return wrong(f"Return one number for each of the {len(masked)} faces; yours has shape {numbers.shape}.")
    if not np.isfinite(numbers).all():
        return wrong("Some of your numbers are nan or infinite: something was divided by zero.")
    chosen_on = people.isin(sorted(people.unique())[::2]).to_numpy()
    means = [numbers[chosen_on & (masked == worn)].mean() for worn in (True, False)]
    if means[0] < means[1]:
        return wrong("Masked faces get the smaller numbers. Turn them round, with a minus.")
    rate, rate_dimmed = (
        np.mean((each >= np.mean(means))[~chosen_on] == masked[~chosen_on]) for each in (numbers, dimmed)
    )
    about = f"It is right about {rate:.0%} of the other people's recordings"
    if rate_dimmed < min(WANTED, rate):
        return wrong(
            f"{about}, and about {rate_dimmed:.0%} of the same in half the light: it reads brightness, where it should "
            "read colour."
        )
    if rate < WANTED:
        return wrong(f"{about}; {WANTED:.0%} are wanted. Which crops does a mask cover, and which does it leave free?")
    return right(
        f"{about}, whatever the light. These are masks of one kind, and rendered: a beard, red lips, or cloth of the "
        "colour of skin would fool it."
    )


@check
def studies_that_find_it(function: Callable[..., Any], *, takes: int) -> Verdict:
    """Check a function from a number of pairs to the share of studies in which McNemar's exact test has p < 0.05.

    The simulated shares are compared with the exact ones.
    """

    exact = found_among(lambda lost, changed: 2 * binom.cdf(np.minimum(lost, changed - lost), changed, 0.5))
    one_sided = found_among(lambda lost, changed: binom.sf(lost - 1, changed, 0.5))
    given = {pairs: call(function, pairs) for pairs in (50, 150)}
    wanted = {pairs: share_found(pairs, exact) for pairs in given}
    average = {pairs: binomtest(round(LOST * pairs), round((LOST + GAINED) * pairs)).pvalue < 0.05 for pairs in given}
    mistakes = {
        "Nearly every study finds it, since you tested against all pairs. A pair that is as it was is no throw of the "
        "coin.": dict.fromkeys(given, 1.0),
        "That is the share of studies that miss it.": {pairs: 1 - each for pairs, each in wanted.items()},
        "A one-sided test assumes that a mask can only harm. Nobody knew that beforehand.": {
            pairs: share_found(pairs, one_sided) for pairs in given
        },
        "You tested the average study. Real ones differ, and so does their p.": {
            pairs: float(each) for pairs, each in average.items()
        },
    }
    enough = next(pairs for pairs in range(10, LARGEST, 10) if share_found(pairs, exact) >= 0.8)
    praise = (
        f"For four studies of five it takes about {enough} pairs. With {takes} takes, as here, the test finds such an "
        f"effect in {share_found(takes, exact):.0%} of studies, with fourteen of your own in "
        f"{share_found(14, exact):.0%}. That it finds nothing says little then."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise, tolerance=0.06)


def found_among(p_value: Callable[[NDArray, int], NDArray]) -> NDArray[np.float64]:
    """Return how likely p < 0.05 is if 0, 1, ... of the pairs change; each of these is lost or gained by chance."""
    likely = []
    for changed in range(LARGEST):
        lost = np.arange(changed + 1)
        likely.append(binom.pmf(lost, changed, LOST / (LOST + GAINED))[p_value(lost, changed) < 0.05].sum())
    return np.array(likely)


def share_found(pairs: int, among: NDArray[np.float64]) -> float:
    """Return the share of studies of so many pairs that find it, from `found_among`."""
    return float(binom.pmf(np.arange(pairs + 1), pairs, LOST + GAINED) @ among[: pairs + 1])
