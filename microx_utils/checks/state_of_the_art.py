"""The exercises of notebook 08."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microx_utils.checks.verdict import Verdict, call, check, compare, wrong
from microx_utils.rivals.descriptors import peak_frames


@check
def clips_needed(given: int, *, old: float, new: float) -> Verdict:
    """Check how many clips each of two systems needs until the interval of their accuracies' difference excludes zero.

    The clips are independent, and the two systems have different ones. Counts may be off by one, for rounding.
    """
    variances, step = [p * (1 - p) for p in (old, new)], new - old
    wanted = math.ceil(1.96**2 * sum(variances) / step**2)
    apart = math.ceil(1.96**2 * sum(map(math.sqrt, variances)) ** 2 / step**2)
    mistakes = {
        "That is when the two intervals no longer overlap. The difference is settled much earlier: variances add up, "
        "standard errors don't.": apart,
        f"You took {old:.2%} for known. It was measured as well, and its variance counts, too.": math.ceil(
            1.96**2 * variances[1] / step**2
        ),
        f"You took {new:.2%} for known. It was measured as well, and its variance counts, too.": math.ceil(
            1.96**2 * variances[0] / step**2
        ),
        "That is one standard error; a 95 % interval reaches 1.96 of them to either side.": math.ceil(
            sum(variances) / step**2
        ),
        "A standard error is the root of a variance: square the 1.96.": math.ceil(1.96 * sum(variances) / step**2),
    }
    praise = (
        f"{wanted} each, where two separate intervals would overlap until {apart}. And this is for clips of as many "
        "different people. A person's clips resemble each other, so a set of few people is worth far fewer clips than "
        "it has. Besides, no number of clips makes a step fair that was measured on other clips and classes."
    )
    return compare(given, wanted, mistakes=mistakes, praise=praise, tolerance=1)


@check
def maxdist(function: Callable[..., Any], *, distances: NDArray[np.floating], count: int) -> Verdict:
    """Check a function of distances between frames, (T, T), and a count: it returns the numbers of MAXDIST's frames.

    It is tried on the clip and on its second half.
    """
    half = len(distances) // 2
    clips = {"the clip": distances, "its second half": distances[half:, half:]}
    found = {name: np.asarray(call(function, each, count)) for name, each in clips.items()}
    for frames in found.values():
        if frames.shape != (count,):
            return wrong(f"Return {count} numbers of frames; yours has shape {frames.shape}.")
        if frames.dtype.kind not in "iu":
            return wrong("Those are distances, or at least no whole numbers; wanted are the frames that have them.")

    def last(score: Callable[[NDArray], NDArray]) -> dict[str, list[int]]:
        """The frames in which a score is largest, of each clip."""
        return {name: sorted(score(each).argsort()[-count:].tolist()) for name, each in clips.items()}

    mistakes = {
        "Those are the frames nearest to all others: the most ordinary ones.": last(lambda d: -d.mean(axis=1)),
        "Those are farthest from the first frames, which is from_rest. MAXDIST does not know which frames are rest.": {
            name: sorted(peak_frames(each, count, rule="from_rest").tolist()) for name, each in clips.items()
        },
        "Those are farthest from the very first frame. MAXDIST asks for the distance to all others.": last(
            lambda d: d[0]
        ),
        "Those have the largest single distance: one odd partner is enough. Wanted is the mean.": last(
            lambda d: d.max(axis=1)
        ),
    }
    wanted = {name: sorted(peak_frames(each, count).tolist()) for name, each in clips.items()}
    far = distances.mean(axis=1)
    chosen = far[wanted["the clip"]].mean()
    praise = (
        f"In the clip they are {chosen:.2f} from the others, on average; the mean of all frames is {far.mean():.2f}. "
        "Cut a clip in two and other frames are rare: what the rule finds depends on what it is compared with."
    )
    given = {name: sorted(frames.tolist()) for name, frames in found.items()}
    return compare(given, wanted, mistakes=mistakes, praise=praise)
