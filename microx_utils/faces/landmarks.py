"""The 68 iBUG points of a rendered person, exact to the painted eyebrows."""

import numpy as np
from numpy.typing import NDArray

from .head import HeadModel, template_landmarks
from .identity import Identity

BROW_STATIONS = (0.98, 0.78, 0.54, 0.28, 0.02)
"""Where the five brow points lie, from the nose (0) to the temple (1)."""


def brow_height(t: float, *, dy: float = 0.0, arch: float = 0.0125, slope: float = 0.0) -> float:
    """Return the template height y (dm) of an eyebrow's middle line at t = 0 (nose) to 1 (temple)."""
    rise = (0.045 + slope) * np.sin(min(t / 0.62, 1) * np.pi / 2)
    return 7.43 + dy + rise + arch * np.sin(np.pi * t) - 0.19 * max(0, t - 0.61)


def person_landmarks(model: HeadModel, identity: Identity) -> tuple[NDArray, NDArray]:
    """Return vertex indices (68, 3) and weights (68, 3, 1): the template's points, brows moved to the painted ones.

    Points 17-21 and 36-41 are on the person's right (image left), 22-26 and 42-47 on the left.
    """
    index, weights = (array.copy() for array in template_landmarks())
    points = [
        (side * (0.085 + 0.455 * t + (0.02 if t < 0.1 else 0)), brow_height(t, **identity.brow_curve))
        for side, stations in ((-1, BROW_STATIONS), (1, BROW_STATIONS[::-1]))
        for t in stations
    ]
    index[17:27], weights[17:27] = model.surface_points(np.array(points))
    return index, weights


def landmark_positions(positions: NDArray, landmarks: tuple[NDArray, NDArray]) -> NDArray:
    """Return the points (68, D) from vertex positions (V, D): pixels or decimetres."""
    index, weights = landmarks
    return (positions[index] * weights).sum(1)
