"""How rendered faces compare with real ones: distances between landmarks, and how far each action unit moves them.

All distances are in eye distances (between the means of the six points of each eye), along and at a right angle to the
line through the eyes, so that large, small and tilted faces count alike.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.evaluation import (
    bootstrap_interval,
    class_intervals,
    clip_predictions,
    confusion,
    per_class,
    summary,
)
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.support.resampling import times_drawn

from .render import still_drawer

RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
LIDS = {"R": ((37, 41), (38, 40), (36, 39)), "L": ((43, 47), (44, 46), (42, 45))}
"""Pairs of the eye's points: two from lid to lid, one from corner to corner."""
BROWS = {"R": (slice(17, 22), 21, 17), "L": (slice(22, 27), 22, 26)}
"""All points of a brow, the inner and the outer end. R and L are the person's."""
CORNERS = {"R": 48, "L": 54}


def aligned(points: NDArray[Any]) -> NDArray[np.float64]:
    """Return landmarks (..., 68, 2) in eye distances from the middle of the eyes: x to the person's left, y down."""
    points = np.asarray(points, float)
    right, left = points[..., RIGHT_EYE, :].mean(axis=-2), points[..., LEFT_EYE, :].mean(axis=-2)
    across = left - right
    offset = points - ((right + left) / 2)[..., None, :]
    turned = (offset[..., 0] + 1j * offset[..., 1]) / (across[..., 0] + 1j * across[..., 1])[..., None]
    return np.stack([turned.real, turned.imag], axis=-1)


def face_distances(points: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Return 24 distances of each face, (...,) each.

    Heights are below the middle of the eyes, so brows have negative ones. The lid opening is the sum of two distances
    from lid to lid, in eye widths; "corner x asym" is the sum of both corners' x.

    Parameters
    ----------
    points
        (..., 68, 2) px.
    """
    at = aligned(points)
    x, y = at[..., 0], at[..., 1]

    def apart(a: int, b: int) -> NDArray[np.float64]:
        return np.linalg.norm(at[..., a, :] - at[..., b, :], axis=-1)

    sides = ("R", "L")
    table = {f"brow height {side}": y[..., BROWS[side][0]].mean(axis=-1) for side in sides}
    table |= {f"inner brow {side}": y[..., BROWS[side][1]] for side in sides}
    table |= {f"outer brow {side}": y[..., BROWS[side][2]] for side in sides}
    table["brow gap"] = apart(21, 22)
    for side in sides:
        first, second, width = LIDS[side]
        table[f"lid opening {side}"] = (apart(*first) + apart(*second)) / apart(*width)
    table["mouth width"] = apart(48, 54)
    table["mouth height (outer)"] = apart(51, 57)
    table["lip gap (inner)"] = apart(62, 66)
    table |= {f"corner {side} below upper lip": y[..., CORNERS[side]] - y[..., 51] for side in sides}
    table |= {f"corner {side} above lower lip": y[..., CORNERS[side]] - y[..., 57] for side in sides}
    table |= {f"corner {side} below nose": y[..., CORNERS[side]] - y[..., 33] for side in sides}
    table["upper lip below nose"] = y[..., 51] - y[..., 33]
    table["lower lip below nose"] = y[..., 57] - y[..., 33]
    table["nose width"] = apart(31, 35)
    table["chin"] = y[..., 8]
    table["corner x asym"] = x[..., 48] + x[..., 54]
    table["corner y asym"] = np.abs(y[..., 48] - y[..., 54])
    return table


def distance_summary(
    rest: NDArray[Any], then: NDArray[Any], people: Sequence[Any] | NDArray[Any], *, samples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return rest and change of the 24 distances over n pairs of pictures of the same faces.

    Parameters
    ----------
    rest, then
        (n, 68, 2) px: the landmarks at rest, and in the expression.
    people
        Who is in each pair. The bootstrap draws them with replacement.
    samples, seed
        Of the bootstrap.

    Returns
    -------
    DataFrame
        One row per distance. Columns: n (pairs), people; rest, rest_sd, rest_low, rest_high (mean over pictures, its
        standard deviation, 95 % interval of the mean); change, change_sd, change_low, change_high of `then` minus
        `rest`.
    """
    before, after = face_distances(rest), face_distances(then)
    names, which = np.unique(np.asarray(people), return_inverse=True)
    times = times_drawn(len(names), samples=samples, seed=seed)
    weights = times[:, which]  # (samples, n): how often each picture is in a sample
    rows = {}
    for name in before:
        row: dict[str, float] = {"n": len(which), "people": len(names)}
        for column, values in (("rest", before[name]), ("change", after[name] - before[name])):
            means = weights @ values / weights.sum(axis=1)
            low, high = np.quantile(means, [0.025, 0.975])
            row |= {column: values.mean(), f"{column}_sd": values.std(), f"{column}_low": low, f"{column}_high": high}
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


Measure = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _up(*points: int) -> Measure:
    return lambda moved: -moved[..., list(points), 1].mean(axis=-1)


def _apart(upper: Sequence[int], lower: Sequence[int], axis: int = 1) -> Measure:
    return lambda moved: (moved[..., list(lower), axis] - moved[..., list(upper), axis]).mean(axis=-1)


_LIDS_APART = _apart((37, 38, 43, 44), (41, 40, 47, 46))
_LIPS_APART = _apart((61, 62, 63), (67, 66, 65))
_CORNERS_APART = _apart((48,), (54,), axis=0)

UNIT_MEASURES: dict[int, tuple[tuple[str, Measure], ...]] = {
    1: (("inner brows up", _up(21, 22)),),
    2: (("outer brows up", _up(17, 18, 25, 26)),),
    4: (("inner brows up", _up(21, 22)), ("brows apart", _apart((21,), (22,), axis=0))),
    5: (("lids apart", _LIDS_APART),),
    6: (("lower lids up", _up(40, 41, 46, 47)),),
    7: (("lids apart", _LIDS_APART),),
    9: (("sides of the nose up", _up(31, 35)), ("upper lip up", _up(50, 51, 52))),
    10: (("upper lip up", _up(50, 51, 52)),),
    12: (("mouth's corners up", _up(48, 54)), ("mouth wider", _CORNERS_APART)),
    14: (("mouth wider", _CORNERS_APART),),
    15: (("mouth's corners up", _up(48, 54)),),
    16: (("lower lip up", _up(56, 57, 58)),),
    17: (("lower lip up", _up(56, 57, 58)),),
    18: (("mouth wider", _CORNERS_APART),),
    20: (("mouth wider", _CORNERS_APART),),
    22: (("outer lips apart", _apart((51,), (57,))),),
    23: (("outer lips apart", _apart((51,), (57,))),),
    24: (("outer lips apart", _apart((51,), (57,))),),
    25: (("inner lips apart", _LIPS_APART),),
    26: (("inner lips apart", _LIPS_APART), ("chin up", _up(8))),
    27: (("inner lips apart", _LIPS_APART), ("chin up", _up(8))),
    43: (("lids apart", _LIDS_APART),),
}
"""What each action unit moves: names of the measures, and how they follow from displacements (..., 68, 2), y down.

Unit 6, the cheek, has no landmark of its own among the 68; the lower lid is the nearest.
"""


def unit_displacements(
    people: Sequence[int], find: Callable[[NDArray[np.uint8]], NDArray[Any]] | None = None, *, lines: int = 288
) -> pd.DataFrame:
    """Return how far each action unit at full intensity moves the face from rest, in eye distances.

    Faces look straight into the camera, in a studio, with no other unit.

    Parameters
    ----------
    people
        Seeds of the people.
    find
        A tracker, frame uint8 (H, W, 3) RGB -> points (68, 2) px; without one, nothing is drawn.
    lines
        Height of the drawn frames, which are as wide.

    Returns
    -------
    DataFrame
        One row per person, unit and measure: person, unit, measure, true and, with a tracker, found.
    """
    drawn = (lines, lines)
    rows = []
    for person in people:
        at_rest = still_drawer(person, {}, size=drawn)
        apart = float(np.linalg.norm(np.diff(_eyes(at_rest.landmarks(0)), axis=0)))
        seen_at_rest = find(at_rest.draw(0)) if find else None
        for unit, measures in UNIT_MEASURES.items():
            drawer = still_drawer(person, {unit: 1.0}, size=drawn)
            moved = {"true": (drawer.landmarks(0) - at_rest.landmarks(0)) / apart}
            if find:
                moved["found"] = (find(drawer.draw(0)) - seen_at_rest) / apart
            for name, measure in measures:
                values = {column: float(measure(offsets)) for column, offsets in moved.items()}
                rows.append({"person": person, "unit": unit, "measure": name} | values)
    return pd.DataFrame(rows)


def _eyes(points: NDArray[Any]) -> NDArray[np.float64]:
    return np.stack([points[RIGHT_EYE].mean(axis=0), points[LEFT_EYE].mean(axis=0)])


def answers_table(
    probabilities: NDArray[np.float64], emotions: Sequence[str], people: Sequence[Any], clips: Sequence[str]
) -> pd.DataFrame:
    """Return what a judge answers about clips as a table for `evaluation`: the mean over each clip's frames.

    Parameters
    ----------
    probabilities
        (n, 7), one row per frame, in the order of EMOTIONS.
    emotions, people, clips
        The true class, the person and the clip of each frame.
    """
    frames = pd.DataFrame(probabilities, columns=list(PROBABILITIES)).assign(
        segment_id=[f"{clip}#{k}" for k, clip in enumerate(clips)],
        clip_id=list(clips),
        subject=[str(person) for person in people],
        emotion=list(emotions),
        split="all",
    )
    return clip_predictions(frames)


def verdict(answers: pd.DataFrame, classes: Sequence[str], *, samples: int = 1000) -> Mapping[str, Any]:
    """Return accuracy, recall and answers of a judge on clips of these classes, with 95 % intervals over people.

    An answer outside `classes` is possible, and wrong.
    """
    some = answers.loc[answers["emotion"].isin(list(classes))]
    scores = summary(some)
    scored, intervals = per_class(some), class_intervals(some, samples=samples)
    counts = dict(zip(EMOTIONS, confusion(some).to_numpy().tolist(), strict=True))
    return {
        "clips": scores["n_clips"],
        "people": scores["n_subjects"],
        "accuracy": scores["accuracy"],
        "accuracy_interval": bootstrap_interval(some, samples=samples),
        "uar": scores["uar"],
        "uar_interval": bootstrap_interval(some, "uar", samples=samples),
        "chance": scores["chance"],
        "recall": {
            name: [scored.loc[name, "recall"], *intervals.loc[name, ["recall_low", "recall_high"]]] for name in classes
        },
        "answers": {name: {said: n for said, n in zip(EMOTIONS, counts[name], strict=True) if n} for name in classes},
    }
