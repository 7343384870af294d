"""The exercises of notebook 11."""

from typing import Any

import numpy as np
import pandas as pd

from microx_utils.checks.verdict import Verdict, check, compare
from microx_utils.course.scores import difference_table, interval_words
from microx_utils.evaluation import summary
from microx_utils.labels import PROBABILITIES

KNOWN, READ = 0.6, 0.35
"""Share of the segments whose clip is recognised, and share of right answers on the others."""


@check
def known_clips(accuracy: float, recognised: float, *, reported: float) -> Verdict:
    """Check the accuracy with a share of clips recognised, and the share that gives the reported accuracy."""
    mistakes = {
        "The 35 % hold for the segments that are not recognised, not for all.": {"accuracy": KNOWN + READ},
        "Recognised segments are right, and so are some of the others: add the two.": {"accuracy": KNOWN * READ},
        "You left out the segments that are read.": {"accuracy": KNOWN},
        "That is a mean of the two as if there were as many of each.": {"accuracy": (KNOWN + READ) / 2},
        "You have them the wrong way round: 60 % are recognised, 40 % are read.": {
            "accuracy": 1 - KNOWN + KNOWN * READ
        },
        "Each recognised segment gains only what reading would have missed: divide by that.": {
            "recognised": reported - READ
        },
        "Some segments are right without being recognised.": {"recognised": reported},
    }
    given = {"accuracy": accuracy, "recognised": recognised}
    wanted = {"accuracy": KNOWN + (1 - KNOWN) * READ, "recognised": (reported - READ) / (1 - READ)}
    praise = (
        f"It takes no better reading to get from {READ:.0%} to {reported:.1%}: to recognise "
        f"{wanted['recognised']:.0%} of the clips will do. What the corners alone give away, see above."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise)


@check
def fused(
    given: Any, *, parts: pd.DataFrame, face: pd.DataFrame, joint: pd.DataFrame, samples: int, seed: int
) -> Verdict:
    """Check the mean of two networks' probabilities, (n, 7), segment by segment.

    Parameters
    ----------
    given
        In the order of `parts`, or a table whose index is segment_id.
    parts, face, joint
        Test predictions of the two networks, whose rows differ in order, and of one that was trained on both inputs.
    samples, seed
        Of the bootstrap over people.
    """
    columns = list(PROBABILITIES)
    one, other = parts[columns].to_numpy(float), face[columns].to_numpy(float)
    matched = face.set_index("segment_id").loc[parts["segment_id"], columns].to_numpy(float)
    if isinstance(given, pd.DataFrame) and set(given.index) == set(parts["segment_id"]):
        given = given.loc[parts["segment_id"]]
    wanted, geometric = (one + matched) / 2, np.sqrt(one * matched)
    mistakes = {
        "Your rows join different segments. That raises no error, and the score looks like that of a weak model: parts "
        "out of step, as above. Match them by segment_id.": (one + other) / 2,
        "That is the sum; its rows add up to 2.": one + matched,
        "That is the geometric mean, as in the widget above. Wanted is the plain one.": geometric
        / geometric.sum(axis=1, keepdims=True),
        "That is the product of the two. Wanted is their mean.": one * matched,
        "That is the parts' network alone.": one,
        "That is the face's network alone.": matched,
    }
    mean = parts.reset_index(drop=True)
    mean[columns] = wanted
    rows = {"the mean": mean, "trained on both": joint, "parts": parts, "face": face}
    scores = {name: summary(table)["accuracy"] for name, table in rows.items()}
    gain = difference_table({"gain": (mean, joint)}, samples=samples, seed=seed).loc["gain"]
    low, high = 100 * gain["low"], 100 * gain["high"]
    praise = (
        f"Accuracy is {scores['parts']:.1%} for the parts, {scores['face']:.1%} for the face, and for their mean, with "
        f"no weight to train, {scores['the mean']:.1%}. The network that was trained on both has "
        f"{scores['trained on both']:.1%}. The mean minus that one, on the same people: "
        f"{100 * gain['difference']:+.1f} points, 95 % interval: {interval_words(low, high, '{:+.1f}')}."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise, tolerance=1e-5)
