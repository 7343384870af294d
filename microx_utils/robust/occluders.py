"""Masks, hands, sunglasses and hair, drawn into crops; and other light, blur and noise: what training shows.

An occluder is a set of polygons in coordinates of the face (`inputs`), with a colour and some texture. Since it is
known where in the face each crop was cut, one occluder is drawn into all seven, in each frame where it belongs, and
into the own neutral as well: whoever wears a mask wore it before.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from microx_utils.robust.inputs import component_centres, component_sides

Polygons = list[NDArray[np.float32]]

MIDDLE = 0.6
"""A component counts as hidden as far as the middle of its crop is covered: a square of this share of the side."""

_SKIN = np.array([[224, 177, 146], [198, 142, 108], [150, 100, 72], [92, 60, 44]], np.float32)
_SUB = 16.0  # OpenCV draws polygons to 1/16 px


def _smooth(points: Sequence[tuple[float, float]], rng: np.random.Generator, wobble: float) -> NDArray[np.float32]:
    return np.array(points, np.float32) + rng.normal(0, wobble, (len(points), 2)).astype(np.float32)


def _ellipse(x: float, y: float, a: float, b: float, turn: float = 0.0) -> NDArray[np.float32]:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    z = (a * np.cos(angles) + 1j * b * np.sin(angles)) * np.exp(1j * turn) + x + 1j * y
    return np.stack([z.real, z.imag], axis=-1).astype(np.float32)


def mask(rng: np.random.Generator) -> Polygons:
    """A face mask: over the nose as a rule, below it when it has slipped."""
    top = rng.uniform(0.25, 0.5) if rng.random() < 0.8 else rng.uniform(0.7, 0.95)
    side, ears, chin = top + rng.uniform(0.05, 0.3), rng.uniform(0.85, 1.1), rng.uniform(1.5, 1.9)
    outline = [(0, top), (0.35, top + 0.12), (ears, side), (ears, 1.2), (0.5, chin), (0, chin + 0.1)]
    return [_smooth(outline + [(-x, y) for x, y in outline[-2:0:-1]], rng, 0.03)]


def hand(rng: np.random.Generator) -> Polygons:
    """A palm and four fingers, over any part of the face."""
    x, y, turn = rng.uniform(-0.9, 0.9), rng.uniform(-0.5, 1.5), rng.uniform(0, 2 * np.pi)
    palm, parts = rng.uniform(0.35, 0.55), []
    for k in range(4):
        way = np.exp(1j * (turn + 0.25 * (k - 1.5))) * palm * rng.uniform(1.5, 1.8)
        parts.append(_ellipse(x + way.real, y + way.imag, 0.8 * palm, 0.2 * palm, float(np.angle(way))))
    return [_ellipse(x, y, palm, 0.85 * palm, turn), *parts]


def sunglasses(rng: np.random.Generator) -> Polygons:
    """Two dark glasses and a bridge."""
    a, b, drop = rng.uniform(0.3, 0.46), rng.uniform(0.2, 0.38), rng.uniform(-0.05, 0.1)
    bridge = _smooth([(-0.3, drop - 0.1), (0.3, drop - 0.1), (0.3, drop - 0.02), (-0.3, drop - 0.02)], rng, 0.01)
    return [_ellipse(-0.5, drop, a, b), _ellipse(0.5, drop, a, b), bridge]


def fringe(rng: np.random.Generator) -> Polygons:
    """Hair or a cap down to the brows."""
    low = rng.uniform(-0.4, -0.12)
    edge = [(x, low + rng.normal(0, 0.06)) for x in np.linspace(1.2, -1.2, 9)]
    return [_smooth([(-1.2, -1.6), (1.2, -1.6), *edge], rng, 0.02)]


def scarf(rng: np.random.Generator) -> Polygons:
    """Cloth over mouth and chin."""
    top = rng.uniform(0.7, 1.1)
    return [_smooth([(-1.3, top), (0, top + 0.1), (1.3, top), (1.3, 2.2), (-1.3, 2.2)], rng, 0.06)]


def turned(rng: np.random.Generator) -> Polygons:
    """Half of the face: a shoulder, a door, another head."""
    edge, side = rng.uniform(0.0, 0.4), rng.choice([-1.0, 1.0])
    return [side * _smooth([(edge, -1.6), (2, -1.6), (2, 2.4), (edge + rng.normal(0, 0.2), 2.4)], rng, 0.05)]


_CLOTH = "cloth"
OCCLUDERS: dict[str, tuple[Callable[[np.random.Generator], Polygons], float, str]] = {
    "mask": (mask, 0.4, _CLOTH),
    "hand": (hand, 0.2, "skin"),
    "sunglasses": (sunglasses, 0.15, "dark"),
    "fringe": (fringe, 0.1, "dark"),
    "scarf": (scarf, 0.08, _CLOTH),
    "turned": (turned, 0.07, _CLOTH),
}
"""Name -> the function that draws its outline, how often training shows it, what it is made of."""


def _colour(material: str, rng: np.random.Generator) -> NDArray[np.float32]:
    if material == "skin":
        return _SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.75, 1.15)
    if material == "dark":
        return rng.uniform(5, 90) + rng.uniform(-4, 14, 3).astype(np.float32)
    shade = rng.choice(3, p=[0.4, 0.3, 0.3])  # surgical blue or green, white to black, any
    if shade == 0:
        return np.array([rng.uniform(90, 180), rng.uniform(150, 215), rng.uniform(170, 235)], np.float32)
    return np.full(3, rng.uniform(15, 245), np.float32) if shade == 1 else rng.uniform(20, 235, 3).astype(np.float32)


def draw_occluder(
    crops: NDArray[np.uint8], points: NDArray[np.float32], name: str, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw an occluder into the crops of one clip, in place, and return how far each component can still be seen.

    Parameters
    ----------
    crops
        uint8 (T, 7, size, size, 3), RGB, aligned.
    points
        float32 (T, 68, 2): the landmarks of these frames in coordinates of the face.
    name
        One of OCCLUDERS.

    Returns
    -------
    float32 (T, 7)
        1: nothing in the middle of the crop is covered; 0: all of it is.
    """
    outline, _, material = OCCLUDERS[name]
    polygons, colour = outline(rng), _colour(material, rng)
    size = crops.shape[2]
    slope, folds, phase = rng.normal(0, 0.18, 2), rng.uniform(0, 0.12), rng.uniform(0, 6)
    grain = rng.normal(0, rng.uniform(0, 0.06), (size, size, 1)).astype(np.float32)
    wave = rng.uniform(4, 16)
    centres, sides = component_centres(points), component_sides()
    drift = rng.normal(0, 0.015, (len(crops), 2)).cumsum(axis=0) if name == "hand" else np.zeros((len(crops), 2))
    low, high = (np.concatenate(polygons).min(axis=0), np.concatenate(polygons).max(axis=0))
    middle = slice(round(size * (1 - MIDDLE) / 2), round(size * (1 + MIDDLE) / 2))
    visible = np.ones(crops.shape[:2], np.float32)
    grid = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    for t, k in np.ndindex(*crops.shape[:2]):
        centre, side = centres[t, k] - drift[t], sides[k]
        if (centre - side / 2 > high).any() or (centre + side / 2 < low).any():
            continue
        covered = np.zeros((size, size), np.uint8)
        places = [((p - centre) / side + 0.5) * size - 0.5 for p in polygons]
        for place in places:  # one by one: together, overlapping parts would cancel
            cv2.fillPoly(covered, [np.rint(place * _SUB).astype(np.int32)], 255, cv2.LINE_AA, 4)
        if not covered.any():
            continue
        x, y = centre[0] + side * grid[None, :, None], centre[1] + side * grid[:, None, None]
        shade = 1 + slope[0] * x + slope[1] * (y - 0.8) + folds * np.sin(wave * y + phase) + grain
        share = (covered / np.float32(255))[..., None]
        crops[t, k] = np.clip(crops[t, k] * (1 - share) + colour * shade * share, 0, 255)
        visible[t, k] = 1 - share[middle, middle].mean()
    return visible


def draw_some(crops: NDArray[np.uint8], points: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw one random occluder, as often as OCCLUDERS says; parameters and result are those of `draw_occluder`."""
    chances = np.array([chance for _, chance, _ in OCCLUDERS.values()])
    return draw_occluder(crops, points, str(rng.choice(list(OCCLUDERS), p=chances / chances.sum())), rng)


CONTRAST, BRIGHTNESS, COLOUR, SHIFT = 0.35, 35.0, 0.15, 2
"""By how much light changes (a factor, levels of 255), a colour channel (a factor) and a crop's place (px), at most."""


def photograph(crops: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the crops of one clip (T, 7, size, size, 3) as another camera had seen them, all frames alike.

    Light and colour change; each component is cut up to two pixels elsewhere, as by other landmarks; some clips are
    blurred, and some are noisy.
    """
    rows = np.ascontiguousarray(crops).reshape(-1, crops.shape[-2], 3)  # all crops as one tall picture
    contrast, light = rng.uniform(1 - CONTRAST, 1 + CONTRAST), rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    lamp, mean = rng.uniform(1 - COLOUR, 1 + COLOUR, size=3), np.array(cv2.mean(rows)[:3])
    levels = np.arange(256)[:, None]  # every level once, as a look-up table (256, 3)
    table = np.clip(((levels - mean) * contrast + mean + light) * lamp, 0, 255).round().astype(np.uint8)
    lit: NDArray[np.uint8] = np.asarray(cv2.LUT(rows, table[None]), np.uint8).reshape(crops.shape)
    places, changed = np.arange(crops.shape[2]), np.empty_like(lit)
    for k, shifts in enumerate(rng.integers(-SHIFT, SHIFT + 1, size=(crops.shape[1], 2))):
        down, across = (np.clip(places + shift, 0, places[-1]) for shift in shifts)
        changed[:, k] = lit[:, k].take(down, axis=1).take(across, axis=2)  # the border is repeated
    if rng.random() < 0.25:
        sigma = rng.uniform(0.4, 1.0)
        for crop in changed.reshape(-1, *crops.shape[2:]):
            cv2.GaussianBlur(crop, (0, 0), sigma, dst=crop)
    if rng.random() < 0.25:
        noise = rng.normal(0, rng.uniform(1, 6), changed.shape[1:])
        changed = np.clip(changed + np.rint(noise), 0, 255).astype(np.uint8)
    return changed
