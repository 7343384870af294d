"""The exercises of notebook 06."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from microx_utils.checks.verdict import Verdict, call, check, compare
from microx_utils.evaluation import predicted
from microx_utils.labels import PROBABILITIES


@check
def refusing(threshold: float, accuracy: float, *, validation: pd.DataFrame, test: pd.DataFrame) -> Verdict:
    """Check a confidence chosen so that half of validation is answered, and the accuracy on the test rows answered."""
    on_validation, on_test = (rows[list(PROBABILITIES)].max(axis=1) for rows in (validation, test))
    right = {name: predicted(rows) == rows["emotion"] for name, rows in (("validation", validation), ("test", test))}
    wanted = on_validation.median()
    answered = on_test >= wanted
    mistakes = {
        "That threshold was chosen on the test set, and fits its luck. Choose it on validation.": {
            "threshold": on_test.median()
        },
        "That is the middle of the confidences' range; half of the segments need not lie above it.": {
            "threshold": (on_validation.max() + on_validation.min()) / 2
        },
        "A mean is not the value that half of the segments exceed.": {"threshold": on_validation.mean()},
        "You counted the refused segments as wrong; wanted is the accuracy where the model answers.": {
            "accuracy": (right["test"] & answered).mean()
        },
        "That is the accuracy on validation, where the threshold was chosen.": {
            "accuracy": right["validation"][on_validation >= wanted].mean()
        },
        "That is the accuracy on all test segments.": {"accuracy": right["test"].mean()},
    }
    praise = (
        f"It answers {answered.mean():.0%} of the test segments, {right['test'][answered].mean():.1%} of them rightly; "
        f"on all it is right about {right['test'].mean():.1%}. That it answers another share than on validation is "
        "what choosing honestly costs."
    )
    given = {"threshold": threshold, "accuracy": accuracy}
    wanted_both = {"threshold": wanted, "accuracy": right["test"][answered].mean()}
    return compare(given, wanted_both, mistakes=mistakes, praise=praise, tolerance=1e-6)


@check
def sizes_that_fit(function: Callable[..., Any], *, printed: Mapping[str, tuple[float, int]]) -> Verdict:
    """Check a function of a printed share (per cent, decimals): it returns the test sizes below 100 that can print it.

    It is tried on each of `printed`.
    """
    found = {name: set(call(function, *share)) for name, share in printed.items()}

    def sizes(fits: Callable[[int, int, float, int], bool]) -> dict[str, set[int]]:
        return {
            name: {n for n in range(1, 100) if any(fits(k, n, *share) for k in range(n + 1))}
            for name, share in printed.items()
        }

    wanted = sizes(lambda k, n, percent, places: round(100 * k / n, places) == percent)
    cut = sizes(lambda k, n, percent, places: math.floor(100 * k / n * 10**places) / 10**places == percent)
    near = sizes(lambda k, n, percent, places: abs(100 * k / n - percent) < 0.5)
    mistakes = {
        "You cut the share after its last decimal; a printed share is rounded.": cut,
        "Half a per cent is too generous: round to as many decimals as were printed.": near,
        "That is the smallest size alone; others fit as well.": {name: {min(each)} for name, each in wanted.items()},
        "Nothing fits. The printed share is in per cent, and rounded: n times it need not be a whole number.": {
            name: set() for name in wanted
        },
    }
    smallest = ", ".join(f"{min(each)} {name}" for name, each in wanted.items())
    praise = f"The smallest sizes that fit: {smallest}. Two decimals exclude most numbers below 100."
    return compare(found, wanted, mistakes=mistakes, praise=praise)
