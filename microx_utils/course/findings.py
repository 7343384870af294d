"""Sentences that state a result: made from its numbers, so that they hold for any corpus and any landmark tracker."""

from collections.abc import Mapping

import pandas as pd

HARDLY, WELL = 0.25, 0.75
"""A slope of found against true movement below the first: hardly followed; from the second up: followed."""
NOTICED = 0.05
"""A fall of a share or of a score, from 0 to 1, from which on a tracker is said to notice a mask."""


def largest_errors(errors: pd.DataFrame) -> str:
    """Say which two regions have the largest landmark error, and how much of it is the same shift in every frame.

    `errors` is what `faces.tracker_errors.error_summary` returns.

    >>> rows = {"mean": [2.0, 8.0, 5.0], "constant": [1.0, 6.0, 1.5]}
    >>> largest_errors(pd.DataFrame(rows, index=["nose", "jaw", "left_eyebrow"]))
    'Largest error: jaw (8.0 %; a constant shift of 6.0 %), then left eyebrow (5.0 %; a constant shift of 1.5 %).'
    """
    first, second = (
        f"{str(region).replace('_', ' ')} ({row['mean']:.1f} %; a constant shift of {row['constant']:.1f} %)"
        for region, row in errors.nlargest(2, "mean").iterrows()
    )
    return f"Largest error: {first}, then {second}."


def following(slopes: Mapping[str, float]) -> str:
    """Say of each part of the face how its points follow it, by the slope of the found opening against the true one.

    >>> following({"eyes": 0.06, "lips": 0.81})
    'Here the points of the eyes hardly follow (slope 0.06), the points of the lips follow (slope 0.81).'
    """
    said = [f"the points of the {part} {_follow(slope)} (slope {slope:.2f})" for part, slope in slopes.items()]
    return f"Here {', '.join(said)}."


def _follow(slope: float) -> str:
    return "hardly follow" if slope < HARDLY else "follow in part" if slope < WELL else "follow"


def notices_mask(found: Mapping[str, float], score: Mapping[str, float]) -> bool:
    """Return whether a mask costs a tracker some of its frames, or some of its score; keys "plain" and "mask"."""
    return any(values["plain"] - values["mask"] >= NOTICED for values in (found, score))


def mask_words(tracker: str, found: Mapping[str, float], score: Mapping[str, float], mouth: Mapping[str, float]) -> str:
    """Say what a mask does to a tracker.

    Parameters
    ----------
    tracker
        Its name.
    found, score, mouth
        Share of frames with a face (0 to 1), mean score (0 to 1) and error of the mouth's points (% of the distance
        between the outer eye corners; NaN where no face was found), each for "plain" and "mask".
    """
    numbers = [
        f"it found the face in {found['mask']:.0%} of the frames with a mask, in {found['plain']:.0%} without",
        f"with a mean score of {score['mask']:.2f} and {score['plain']:.2f}",
    ]
    if pd.notna([mouth["mask"], mouth["plain"]]).all():
        numbers.append(f"and the mouth's points are off by {mouth['mask']:.1f} % and {mouth['plain']:.1f} %")
    said = f"`{tracker}`: {', '.join(numbers)}. ".replace("%", " %").replace("  %", " %")
    if notices_mask(found, score):
        return said + "It notices the mask, but doesn't say which part of the face is hidden."
    return said + "It doesn't notice the mask."
