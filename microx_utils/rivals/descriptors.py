"""Hand-crafted descriptors: LPQ, POEM, block histograms, peak frames (Zhalehpour et al., section V.E).

A descriptor gives every pixel of a grey, aligned face a code that describes its neighbourhood. The face is cut into
blocks, and a classifier sees how often each code occurs in each block. scikit-image has no LPQ; POEM's patterns are
computed here and not by its `local_binary_pattern`, whose rounding changes 0.7 % of the codes.
"""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.ndimage import convolve1d, correlate1d, uniform_filter1d
from scipy.spatial.distance import pdist, squareform

Descriptor = Literal["lpq", "poem"]
CODES: dict[str, int] = {"lpq": 256, "poem": 59}
"""Number of codes of each descriptor."""

PEAK_RULES = ("maxdist", "dend_cluster", "from_rest")

_REST = 3  # first frames of a clip

_NEIGHBOUR_CORRELATION = 0.9  # of adjacent pixels; the value of LPQ's authors


def lpq_codes(grey: ArrayLike, *, window: int = 7, decorrelate: bool = True) -> NDArray[np.uint8]:
    """Return each pixel's local phase quantisation code (Ojansivu and Heikkilä, 2008).

    A short-term Fourier transform is taken around each pixel at the four lowest non-zero frequencies. Only the signs of
    the four real and four imaginary parts are kept: eight bits of phase. A blur that is the same in all directions
    multiplies each by a real number, positive at low frequencies unless the blur is strong, and so keeps the phases.

    Parameters
    ----------
    grey
        (..., H, W), any number type.
    window
        Side of the neighbourhood, px, odd.
    decorrelate
        Decorrelate the eight numbers first, so that the bits are less redundant.

    Returns
    -------
    uint8 (..., H, W)
        The border is repeated beyond the image.
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window is {window}; give an odd number of at least 3")
    x = np.asarray(grey, np.float64)
    flat = np.ones(window)
    wave = np.exp(2j * np.pi * (np.arange(window) - window // 2) / window)  # convolution flips it: exp(-i...)
    flat_down, wave_down = (convolve1d(x, weights, axis=-2, mode="nearest") for weights in (flat, wave))
    spectra = [
        convolve1d(flat_down, wave, axis=-1, mode="nearest"),  # frequency (0, a): along the rows
        convolve1d(wave_down, flat, axis=-1, mode="nearest"),  # (a, 0)
        convolve1d(wave_down, wave, axis=-1, mode="nearest"),  # (a, a)
        convolve1d(wave_down, wave.conj(), axis=-1, mode="nearest"),  # (a, -a)
    ]
    parts = np.stack([s.real for s in spectra] + [s.imag for s in spectra], axis=-1)  # (..., H, W, 8)
    if decorrelate:
        parts = parts @ _decorrelation(window)
    return np.packbits(parts > 0, axis=-1, bitorder="little")[..., 0]


@cache
def _decorrelation(window: int) -> NDArray[np.float64]:
    """Return the (8, 8) rotation that decorrelates the parts if pixels are a Markov process of correlation 0.9."""
    place = np.indices((window, window)).reshape(2, -1).T - window // 2  # (window², 2): y, x
    covariance = _NEIGHBOUR_CORRELATION ** squareform(pdist(place))
    frequencies = np.array([(0, 1), (1, 0), (1, 1), (1, -1)]) / window
    phases = 2 * np.pi * frequencies @ place.T
    transform = np.concatenate([np.cos(phases), -np.sin(phases)])  # (8, window²): what lpq_codes computes
    spread = transform @ covariance @ transform.T
    ties = np.diag(1 + 1e-6 * np.arange(7, -1, -1))  # rows and columns have equal variance; this orders them
    _, _, turn = np.linalg.svd(ties @ spread @ ties)
    largest = np.abs(turn).argmax(axis=1)
    return (turn * np.sign(turn[np.arange(8), largest])[:, None]).T  # the library leaves the signs open


def poem_codes(grey: ArrayLike, *, cell: int = 7, reach: int = 5, directions: int = 3) -> NDArray[np.uint8]:
    """Return each pixel's patterns of oriented edge magnitudes (Vu and Caplier, 2010).

    Edge magnitudes are split by direction into `directions` images, each averaged over a cell; in each, a pixel is
    compared with eight neighbours on a circle (a local binary pattern).

    Parameters
    ----------
    grey
        (..., H, W), any number type.
    cell, reach
        Side of the cell and radius of the circle, px.
    directions
        Between 0 and 180 degrees: an edge from dark to light counts like one from light to dark.

    Returns
    -------
    uint8 (..., directions, H, W)
        0 to 57 for the patterns with at most two changes around the circle, 58 for all others.
    """
    y, x = np.gradient(np.asarray(grey, np.float64), axis=(-2, -1))
    strength, direction = np.hypot(x, y), np.arctan2(y, x) % np.pi * directions / np.pi  # 0 to `directions`
    planes = []
    for k in range(directions):
        away = np.abs(direction - k)
        share = np.clip(1 - np.minimum(away, directions - away), 0, None)  # linear between the two nearest directions
        planes.append(
            uniform_filter1d(uniform_filter1d(strength * share, cell, axis=-2, mode="nearest"), cell, mode="nearest")
        )
    cells = np.stack(planes, axis=-3)
    bits = []
    for angle in 2 * np.pi * np.arange(8) / 8:
        down, across = (_moved(reach * float(part), reach) for part in (np.sin(angle), np.cos(angle)))
        moved = correlate1d(correlate1d(cells, down, axis=-2, mode="nearest"), across, axis=-1, mode="nearest")
        bits.append(moved >= cells)
    return _uniform_patterns()[np.packbits(np.stack(bits, axis=-1), axis=-1)[..., 0]]


def _moved(step: float, reach: int) -> NDArray[np.float64]:
    """Return the kernel that shifts by `step` pixels, with linear interpolation."""
    whole = int(np.floor(step))
    weights = np.zeros(2 * reach + 3)
    weights[reach + 1 + whole], weights[reach + 2 + whole] = 1 - (step - whole), step - whole
    return weights


@cache
def _uniform_patterns() -> NDArray[np.uint8]:
    """Return uint8 (256,): 0 to 57 for bytes whose bits change at most twice around the circle, 58 for the rest."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, 58).astype(np.uint8)


def block_histograms(codes: NDArray[np.uint8], *, bins: int = 256, grid: int = 6) -> NDArray[np.uint16]:
    """Return how often each code occurs in each block of an image.

    Parameters
    ----------
    codes
        uint8 (T, H, W), or (T, planes, H, W); below `bins`.
    grid
        Blocks along each side.

    Returns
    -------
    uint16 (T, planes * grid * grid * bins)
        Blocks row by row; of POEM, one direction after the other.
    """
    planes = codes.reshape(len(codes), -1, *codes.shape[-2:])  # (T, P, H, W)
    height, width = planes.shape[-2:]
    row, column = np.arange(height) * grid // height, np.arange(width) * grid // width
    block = row[:, None] * grid + column  # (H, W): the block of each pixel
    pictures = np.arange(planes.shape[0] * planes.shape[1]).reshape(*planes.shape[:2], 1, 1)
    place = (pictures * grid * grid + block) * bins + planes
    counts = np.bincount(place.ravel(), minlength=planes.shape[0] * planes.shape[1] * grid * grid * bins)
    return counts.reshape(len(codes), -1).astype(np.uint16)


def describe(grey: NDArray[np.uint8], *, descriptor: Descriptor = "lpq", grid: int = 6) -> NDArray[np.uint16]:
    """Return the block histograms of grey aligned faces (T, H, W): uint16 (T, features)."""
    if descriptor not in CODES:
        raise ValueError(f"unknown descriptor {descriptor!r}; choose from {list(CODES)}")
    codes = lpq_codes(grey) if descriptor == "lpq" else poem_codes(grey)
    return block_histograms(codes, bins=CODES[descriptor], grid=grid)


def hellinger(counts: NDArray) -> NDArray[np.float32]:
    """Return the square roots of relative frequencies: rows of length one, to be compared by dot product.

    A Euclidean distance between counts is dominated by the few most frequent codes (Arandjelović and Zisserman, 2012).
    """
    total = np.maximum(counts.sum(axis=-1, keepdims=True, dtype=np.float32), 1)
    return np.sqrt(counts / total, dtype=np.float32)


def frame_distances(counts: NDArray) -> NDArray[np.float64]:
    """Return the Euclidean distances between the frames' `hellinger` histograms: (T, T)."""
    return squareform(pdist(hellinger(counts)))


def peak_frames(distances: NDArray, count: int, *, rule: str = "maxdist") -> NDArray[np.intp]:
    """Return the frames in which the expression is assumed to be at its peak (no training).

    Parameters
    ----------
    distances
        (T, T), `frame_distances`.
    count
        How many frames; a shorter clip repeats its best.
    rule
        "maxdist": the frames with the largest mean distance from all others. "dend_cluster": hierarchical clustering
        (average linkage) into two groups; of the group with the larger mean distance from the clip, the frames
        nearest to their own group. "from_rest": the frames farthest from the first three, assumed to be at rest; it
        stands in for the authors' EIFS, the distance from a subspace of neutral faces.

    Returns
    -------
    int (count,)
        Frame numbers, best first.
    """
    if rule not in PEAK_RULES:
        raise ValueError(f"unknown rule {rule!r}; choose from {PEAK_RULES}")
    outlying = distances.mean(axis=1)
    ranked = np.argsort(-outlying, kind="stable")
    if rule == "dend_cluster" and len(distances) > 2:
        group = fcluster(linkage(squareform(distances, checks=False), "average"), 2, criterion="maxclust")
        farther = max(np.unique(group), key=lambda g: outlying[group == g].mean())
        members = np.flatnonzero(group == farther)
        ranked = members[np.argsort(distances[np.ix_(members, members)].mean(axis=1), kind="stable")]
    elif rule == "from_rest":
        ranked = np.argsort(-distances[:, :_REST].mean(axis=1), kind="stable")
    return ranked[np.arange(count) % len(ranked)]
