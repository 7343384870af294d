"""The exercises of notebook 00."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils.checks.verdict import Verdict, check, compare
from microx_utils.components import COMPONENTS, PAPER_COMPONENTS


@check
def numbers_in_a_segment(given: int, *, size: int) -> Verdict:
    """Check how many numbers the network gets for one segment: ten frames of five crops of `size` px, in colour."""
    blocks, pixels = len(PAPER_COMPONENTS), size * size
    mistakes = {
        "That counts each pixel once; a pixel is three numbers: red, green and blue.": 10 * blocks * pixels,
        "That is one frame; a segment has ten.": blocks * pixels * 3,
        "You counted all seven components; the paper's network leaves the eyebrows out.": 10
        * len(COMPONENTS)
        * pixels
        * 3,
        "That is one component; the network has a block for each of five.": 10 * pixels * 3,
        "You took the side of a crop for its number of pixels; a crop is as high as it is wide.": 10
        * blocks
        * size
        * 3,
    }
    praise = "All of these become seven probabilities. Most of the network's work is to leave things out."
    return compare(given, 10 * blocks * pixels * 3, mistakes=mistakes, praise=praise)


@check
def change_from_first(given: Any, *, crops: NDArray[np.uint8]) -> Verdict:
    """Check each component's largest mean change from the first frame, in grey levels.

    Parameters
    ----------
    given
        A number for each of the seven components: a Series or dict by name, or an array in the order of COMPONENTS.
    crops
        RGB uint8 (frames, 7, H, W, 3).
    """
    values = crops.astype(float)
    from_first = np.abs(values - values[0]).mean(axis=(2, 3, 4))  # (frames, 7)
    steps = np.abs(np.diff(values, axis=0)).mean(axis=(2, 3, 4))
    wrapped = np.abs(crops - crops[0]).mean(axis=(2, 3, 4))  # uint8: 3 - 5 is 254
    signed = (values - values[0]).mean(axis=(2, 3, 4))
    mistakes = {
        "Crops are uint8, and there 3 - 5 is 254. Make them floats before you subtract.": wrapped.max(axis=0),
        "That compares each frame with the one before, which mostly measures the landmarks' jitter.": steps.max(axis=0),
        "That is the mean over all frames; wanted is the frame that differs most.": from_first.mean(axis=0),
        "Without absolute values, pixels that grow darker cancel others that grow brighter.": signed.max(axis=0),
        "That is the last frame, when the expression is over; wanted is the frame that differs most.": from_first[-1],
    }
    praise = f"The {COMPONENTS[from_first.max(axis=0).argmax()].replace('_', ' ')} changes most in this clip."
    if np.shape(given) == (len(COMPONENTS),) and not isinstance(given, pd.Series):
        given = named(given)
    return compare(
        given,
        named(from_first.max(axis=0)),
        mistakes={says: named(value) for says, value in mistakes.items()},
        praise=praise,
        tolerance=0.01,
    )


def named(values: Any) -> dict[str, float]:
    """Return seven values by the components' names."""
    return dict(zip(COMPONENTS, np.asarray(values).tolist(), strict=True))
