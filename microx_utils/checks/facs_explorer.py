"""The exercises of notebook 16."""

import numpy as np
from numpy.typing import NDArray

from microx_utils.checks.verdict import Verdict, check, compare


@check
def left_share(given: float, *, smiles: NDArray[np.uint8]) -> Verdict:
    """Check which share of a one-sided smile's change lies on the person's left half of the face.

    Parameters
    ----------
    given
        The mean of the people's shares.
    smiles
        RGB uint8 (people, 2, H, W, 3): each face at rest and smiling.
    """
    apart = np.abs(smiles[:, 1].astype(float) - smiles[:, 0])
    half = smiles.shape[3] // 2

    def share(change: NDArray, side: slice) -> float:
        return float((change[:, :, side].sum(axis=(1, 2, 3)) / change.sum(axis=(1, 2, 3))).mean())

    left, right = slice(half, None), slice(half)
    wrapped = np.abs(smiles[:, 1] - smiles[:, 0]).astype(float)  # uint8: 3 - 5 is 254
    mistakes = {
        "That is the left half of the picture, where the person's right side is.": share(apart, right),
        "Crops are uint8, and there 3 - 5 is 254. Make them floats before you subtract.": share(wrapped, left),
        "That is the left half of the picture, and of uint8 differences, where 3 - 5 is 254.": share(wrapped, right),
        "That is the person's left half, as a share of the other half; wanted is a share of all the change.": float(
            (apart[:, :, left].sum(axis=(1, 2, 3)) / apart[:, :, right].sum(axis=(1, 2, 3))).mean()
        ),
        "Pooled over people, whoever changes most counts most; take each person's share, then the mean.": float(
            apart[:, :, left].sum() / apart.sum()
        ),
    }
    praise = "The other half changes, too: skin is one piece, and the crop hangs on landmarks of both sides."
    return compare(given, share(apart, left), mistakes=mistakes, praise=praise, tolerance=0.0005)
