"""The exercises of notebook 10."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microx_utils.checks.verdict import Verdict, check, right, wrong

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue."""

ALIKE = 0.9999
"""The cosine of the angle below which two directions count as the same."""


@check
def equal_luma(blue: Any, yellow: Any, *, red: NDArray) -> Verdict:
    """Check two colours, (R, G, B) from 0 to 255, that have the luma of `red`, within one level."""
    found = {"blue": np.asarray(blue), "yellow": np.asarray(yellow)}
    for name, colour in found.items():
        if colour.shape != (3,) or colour.dtype.kind not in "iuf":
            return wrong(f"{name} should be three numbers, for red, green and blue.")
        if colour.min() < 0 or colour.max() > 255:
            return wrong(f"{name} is {np.round(colour).tolist()}: no screen can show it. Levels go from 0 to 255.")
        off = colour @ LUMA - red @ LUMA
        if abs(off) > 1:
            if abs(colour.mean() - red.mean()) <= 1:
                return wrong(
                    f"{name} has the plain mean of red. Luma gives green most of the weight, and blue the least."
                )
            if abs(colour @ LUMA[::-1] - red @ LUMA) <= 1:
                return wrong(f"{name} would be right if its channels were blue, green, red, as OpenCV has them.")
            return wrong(f"In grey, {name} is {abs(off):.0f} levels {'brighter' if off > 0 else 'darker'} than red.")
    for name, sign, rim in (("blue", 1, "largest"), ("yellow", -1, "smallest")):
        if sign * found[name][2] - (sign * found[name][:2]).max() < 50:
            return wrong(f"{name} has the right luma, but its last number is not the {rim} by far.")
    pure = red @ LUMA / LUMA[2]
    return right(
        f"Both vanish beside the red as soon as the picture is grey. A pure blue would need {pure:.0f} in its channel: "
        "blue counts so little that it can't be as bright without help."
    )


@check
def lips_from_skin(given: Any, *, mouths: Mapping[Any, tuple[NDArray, NDArray, NDArray]]) -> Verdict:
    """Check the direction that separates lips from skin best, by the mean gap and the mean scatter of all people.

    Parameters
    ----------
    given
        Three numbers, of any length and sign.
    mouths
        For each person, RGB of the lip pixels (n, 3) and of the skin pixels (m, 3), and a crop.
    """
    weights = np.asarray(given, dtype=float)
    if weights.shape != (3,) or not np.isfinite(weights).all() or not weights.any():
        return wrong("weights should be three numbers, for red, green and blue.")
    gaps = np.array([lip.mean(axis=0) - skin.mean(axis=0) for lip, skin, _ in mouths.values()])
    scatters = np.array([(np.cov(lip.T) + np.cov(skin.T)) / 2 for lip, skin, _ in mouths.values()])
    gap, scatter = gaps.mean(axis=0), scatters.mean(axis=0)
    wanted = np.linalg.solve(scatter, gap)

    def likeness(direction: NDArray) -> float:
        return abs(direction @ weights) / float(np.linalg.norm(direction) * np.linalg.norm(weights))

    def reached(direction: NDArray) -> float:
        spreads = np.sqrt(np.einsum("i,nij,j->n", direction, scatters, direction))
        return float(np.median(np.abs(gaps @ direction) / spreads))

    if likeness(wanted) > ALIKE:
        scaled = wanted / np.abs(wanted).sum()
        says = f"A median d' of {reached(wanted):.2f}, where luma has {reached(LUMA):.2f}. The weights are "
        says += f"{', '.join(f'{each:+.2f}' for each in scaled)}."
        if scaled.min() < 0 < scaled.max():
            says += " It is a difference of channels, in which light and shade cancel."
        return right(says)
    mistakes = {
        "That is the direction of the gap alone. Along it the scatter is large, too: divide by it, as a matrix.": gap,
        "You divided by the three variances. The channels scatter together, and that is what can be cancelled: take "
        "the whole matrix.": gap / np.diag(scatter),
        "You multiplied by the scatter, which favours what scatters most. Solve for it.": scatter @ gap,
        "Those are luma's weights.": LUMA,
    }
    nearest = max(mistakes, key=lambda message: likeness(mistakes[message]))
    if likeness(mistakes[nearest]) > ALIKE:
        return wrong(nearest)
    return wrong(
        f"Your mixture reaches a median d' of {reached(weights):.2f}; one that is made from the mean gap and the mean "
        f"scatter reaches {reached(wanted):.2f}."
    )
