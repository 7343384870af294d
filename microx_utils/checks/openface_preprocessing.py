"""The exercises of notebook 02."""

import numpy as np
from numpy.typing import NDArray

from microx_utils.checks.verdict import Verdict, check, compare, wrong
from microx_utils.video import FPS


@check
def frames_read(given: int, *, stored: int, fps: float) -> Verdict:
    """Check how many frames are read of a video that stores `stored` frames at `fps` frames a second."""
    mistakes = {
        "Every stored frame, each for 1/30 s: the clip would play in slow motion.": stored,
        "That many would be read if the clip were stored at 15 frames a second, half of ours.": 2 * stored,
        "That is for one second; how long does this clip last?": FPS,
    }
    praise = (
        f"{stored} frames at {fps:g} a second last {stored / fps:.2f} s, and in that time 30 frames a second show "
        "every second one. Movements keep their speed, which is why the rate is the same for all clips."
    )
    return compare(given, int(np.floor(stored / fps * FPS + 0.5)), mistakes=mistakes, praise=praise)


@check
def smoothed_points(given: NDArray[np.float64], *, points: NDArray[np.float64]) -> Verdict:
    """Check a median over three frames of landmarks (frames, 68, 2); how the first and last are treated is free."""
    given = np.asarray(given, dtype=float)
    around = np.stack([points[:-2], points[1:-1], points[2:]])  # (3, frames - 2, 68, 2)
    if given.shape == around.shape[1:]:
        return wrong("The first and the last frame are gone; repeat them before you take the median.")
    if given.shape != points.shape:
        return wrong(f"Your points have shape {given.shape}; wanted is that of still_points, {points.shape}.")
    along_face = np.median(np.stack([points[:, :-2], points[:, 1:-1], points[:, 2:]]), axis=0)
    mistakes = {
        "That is the mean of three frames. It halves a single wrong frame; a median removes it.": around.mean(axis=0),
        "That is the median of everything so far or of all frames; take three at a time.": np.broadcast_to(
            np.median(points, axis=0), around.shape[1:]
        ),
        "These are the points as they were.": points[1:-1],
    }
    if np.allclose(given[:, 1:-1], along_face, atol=1e-3):
        return wrong("You took three neighbouring points of one frame; take one point in three neighbouring frames.")
    before, after = (np.linalg.norm(np.diff(each, axis=0), axis=2).mean() for each in (points, given))
    praise = (
        f"The mean jump falls from {before:.3f} to {after:.3f} px. A blink of three frames keeps its lowest point and "
        "loses its edges; one of a single frame is gone."
    )
    return compare(given[1:-1], np.median(around, axis=0), mistakes=mistakes, praise=praise, tolerance=1e-3)
