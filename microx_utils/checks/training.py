"""The exercises of notebook 05."""

import numpy as np
import pandas as pd

from microx_utils.checks.verdict import Verdict, check, compare
from microx_utils.labels import EMOTIONS, PROBABILITIES


@check
def loss_of_a_guess(given: float, *, labels: pd.Series) -> Verdict:
    """Check the mean cross-entropy, in nats, of answering every segment with the classes' shares in `labels`."""
    shares = labels.value_counts(normalize=True).to_numpy()
    entropy = -(shares * np.log(shares)).sum()
    mistakes = {
        "That is an even guess, ln 7; the bias now knows the classes' shares.": np.log(len(EMOTIONS)),
        "Each class counts alike in that mean. Common classes are met more often: weigh by the shares.": -np.log(
            shares
        ).mean(),
        "You used the logarithm to base 2; the loss has the natural one.": entropy / np.log(2),
        "That is the loss on the most frequent class alone.": -np.log(shares.max()),
        "A loss is minus the logarithm.": -entropy,
    }
    praise = (
        f"It is the entropy of the labels, {np.log(len(EMOTIONS)) - entropy:.3f} below ln 7. The first steps need not "
        "be spent on learning which class is common."
    )
    return compare(given, entropy, mistakes=mistakes, praise=praise)


@check
def balanced_loss(given: float, *, predictions: pd.DataFrame, labels: pd.Series) -> Verdict:
    """Check the mean loss of predictions in which the classes, by their shares in `labels`, count alike."""
    truth = predictions["emotion"].map(EMOTIONS.index).to_numpy()
    chosen = predictions[list(PROBABILITIES)].to_numpy()[np.arange(len(truth)), truth]
    each = -np.log(chosen.clip(1e-7))
    shares = labels.value_counts(normalize=True).reindex(EMOTIONS).to_numpy()
    weights = (1 / shares)[truth]
    scaled = weights / np.mean(1 / shares)
    mistakes = {
        "That is the plain mean, in which common classes count more.": each.mean(),
        "The weights are upside down: rare classes need the larger ones.": np.average(each, weights=shares[truth]),
        "Divide by the sum of the weights, not by the number of segments.": (each * scaled).mean(),
        "The weights have no sum to divide by there: that is the bare product of 1 / share.": (each * weights).mean(),
    }
    praise = (
        f"{np.average(each, weights=weights):.3f}, the plain mean is {each.mean():.3f}. The difference shows how much "
        "worse, or better, the model knows the rare classes."
    )
    return compare(given, np.average(each, weights=weights), mistakes=mistakes, praise=praise, tolerance=1e-5)
