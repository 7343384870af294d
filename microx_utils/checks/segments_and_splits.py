"""The exercises of notebook 03."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from microx_utils.checks.verdict import Verdict, call, check, compare, right, wrong
from microx_utils.segments import make_segments


@check
def overlapping(segments: int, people: int, *, clips: pd.DataFrame) -> Verdict:
    """Check how many segments, and how many people, a step of 5 frames gives."""
    dense, plain = make_segments(clips, length=10, step=5), make_segments(clips, length=10, step=10)
    by_class = dense.groupby("emotion")["split_group"].nunique().sum()
    mistakes = {
        "Twice as many would need half a window beyond the end of every clip.": {"segments": 2 * len(plain)},
        "That is as many as with a step of 10.": {"segments": len(plain)},
        "You counted windows that reach beyond the end of their clip.": {"segments": int((clips["frames"] // 5).sum())},
        "You added people up over the classes, so that most count several times.": {"people": by_class},
        "That is the number of clips; a person has several.": {"people": len(clips)},
    }
    wanted = {"segments": len(dense), "people": dense["split_group"].nunique()}
    praise = (
        f"{len(dense) / len(plain):.2f} times as many segments, and not one person more. Nearly every frame is used "
        "twice: the table is longer, but knows no more faces."
    )
    return compare({"segments": segments, "people": people}, wanted, mistakes=mistakes, praise=praise)


@check
def person_split(function: Callable[..., Any], *, people: pd.Series) -> Verdict:
    """Check a function of people (one name per row), a share and a generator that says which rows are for the test.

    It must draw people, not rows: nobody on both sides, about `share` of the people in the test, others for another
    seed.
    """
    share, names = 0.25, people.to_numpy()
    draws = [call(function, people, share, np.random.default_rng(seed)) for seed in range(8)]
    shapes = {np.shape(rows) for rows in draws}
    if shapes != {names.shape} or any(np.asarray(rows).dtype != bool for rows in draws):
        return wrong(f"Return True or False for each of the {len(names)} rows; yours has shape {sorted(shapes)[0]}.")
    tests = [np.asarray(rows) for rows in draws]
    both = len(set(names[tests[0]]) & set(names[~tests[0]]))
    if both:
        return wrong(
            f"{both} of {len(set(names))} people are on both sides: rows were drawn, as in the segment split. Draw "
            "people first, then take all of their rows."
        )
    drawn = [len(set(names[rows])) / len(set(names)) for rows in tests]
    if len({rows.tobytes() for rows in tests}) == 1:
        return wrong("Every seed gives the same test people. Let the generator choose them.")
    if np.mean(drawn) > 1 - share - 0.1 and abs(np.mean(drawn) - share) > 0.1:
        return wrong(f"On average {np.mean(drawn):.0%} of the people are in the test: True should mark the test rows.")
    if abs(np.mean(drawn) - share) > 0.1:
        return wrong(f"On average {np.mean(drawn):.0%} of the people are in the test; {share:.0%} were asked for.")
    low, high = min(rows.mean() for rows in tests), max(rows.mean() for rows in tests)
    found = f"{low:.0%} to {high:.0%} of the rows, depending on who was drawn: some people have many segments"
    if f"{low:.0%}" == f"{high:.0%}":
        found = f"{low:.0%} of the rows, whoever was drawn: everybody has about as many segments"
    return right(f"Nobody is on both sides. With {share:.0%} of the people wanted, the test has {found}.")
