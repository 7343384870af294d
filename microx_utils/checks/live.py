"""The exercises of notebook 17."""

import numpy as np
import pandas as pd

from microx_utils.checks.verdict import Verdict, check, compare


@check
def slow_frame(given: float, *, steps: pd.DataFrame) -> Verdict:
    """Check the 95th percentile of what a frame takes.

    Parameters
    ----------
    given
        In milliseconds.
    steps
        Milliseconds of each step, one row per frame.
    """
    total = steps.sum(axis=1)
    mistakes = {
        "That is the sum of the steps' percentiles, as if every step had its slow frames at the same time.": float(
            steps.quantile(0.95).sum()
        ),
        "That is the percentile of single steps. A frame has to go through all of them.": float(
            np.quantile(steps, 0.95)
        ),
        "That is the mean, which hides the slow frames.": float(total.mean()),
        "That is the slowest frame of all: one interruption from outside decides it.": float(total.max()),
        "That is the 5th percentile, of fast frames.": float(total.quantile(0.05)),
    }
    within = "fast enough for a camera's 33 ms" if total.quantile(0.95) < 33 else "too slow for a camera's 33 ms"
    praise = f"One frame in twenty takes longer. At this percentile, the machine is {within}."
    return compare(given, float(total.quantile(0.95)), mistakes=mistakes, praise=praise)


@check
def deserved_alarms(given: float, *, hits: float, false: float, angry: float) -> Verdict:
    """Check the share of alarms that are about angry people.

    Parameters
    ----------
    given
        From 0 to 1.
    hits, false
        Shares of the angry people, and of the others, that ring the alarm.
    angry
        Share of angry people.
    """
    right, wrong = hits * angry, false * (1 - angry)
    mistakes = {
        "That is the share of the angry people who ring the alarm, not of the alarms.": hits,
        "That would be so if half of all people were angry.": hits / (hits + false),
        "That is the share of alarms that are about others.": wrong / (right + wrong),
        "That is the share of all people who are angry and ring the alarm; how many ring it at all?": right,
        "That is how many people ring the alarm.": right + wrong,
        "The 5 % are a share of those who are not angry, not of everybody.": right / (right + false),
    }
    praise = (
        "More than nine alarms in ten are about people who aren't angry, with a recogniser that makes few errors: "
        "what is rare is mostly mistaken. Real ones make more, and a face that looks angry need not be."
    )
    return compare(given, right / (right + wrong), mistakes=mistakes, praise=praise, tolerance=0.0001)
