"""Masks, hands, sunglasses and hair, drawn into crops; and other light, blur and noise: what training shows.

An occluder is a set of polygons in coordinates of the face (`inputs`) and a surface: a colour, folds, a pattern, and
light from one side. Nobody can draw all cloth there is, so what is drawn varies widely. Since it is known where in the
face each crop was cut, one occluder is drawn into all seven, in each frame where it belongs, and into the own neutral
as well: whoever wears a mask wore it before.
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
    """A face mask with ear loops, on a head that may turn: over the nose as a rule, below it when it has slipped."""
    top = rng.uniform(0.15, 0.5) if rng.random() < 0.8 else rng.uniform(0.7, 0.95)
    side, ears, chin = top + rng.uniform(0.05, 0.4), rng.uniform(0.8, 1.15), rng.uniform(1.5, 1.9)
    low, jaw = rng.uniform(1.1, 1.4), rng.uniform(0.4, 0.65)
    outline = [(0, top), (0.35, top + rng.uniform(0, 0.2)), (ears, side), (ears, low), (jaw, chin), (0, chin + 0.1)]
    loops = [(ears, side), (1.7, 0.1), (1.7, 0.14), (ears, side + 0.05)], [(ears, low), (1.7, 0.6), (ears, low - 0.05)]
    parts = [_smooth(outline + [(-x, y) for x, y in outline[-2:0:-1]], rng, 0.03)]
    parts += [np.array(loop, np.float32) * (way, 1) for loop in loops for way in (-1, 1)] * int(rng.random() < 0.7)
    yaw = rng.uniform(-0.15, 0.15)  # the side that turns away gets narrower
    return [
        (part * np.stack([1 + yaw * np.sign(part[:, 0]), np.ones(len(part))], 1)).astype(np.float32) for part in parts
    ]


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


OCCLUDERS: dict[str, tuple[Callable[[np.random.Generator], Polygons], float, str]] = {
    "surgical mask": (mask, 0.16, "pleated"),
    "FFP2 mask": (mask, 0.12, "ridged"),
    "printed mask": (mask, 0.12, "printed"),
    "hand": (hand, 0.2, "skin"),
    "sunglasses": (sunglasses, 0.15, "dark"),
    "fringe": (fringe, 0.1, "dark"),
    "scarf": (scarf, 0.08, "printed"),
    "turned": (turned, 0.07, "plain"),
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


def _surface(material: str, x: NDArray, y: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the colours of an occluder, in some light, at places x (1, w), y (h, 1) of the face: (h, w, 3)."""
    colour = np.broadcast_to(_colour(material, rng), (y.size, x.size, 3))
    if material == "printed" and rng.random() < 0.7:
        ways, phases = rng.normal(0, 1, (2, 2)) * rng.uniform(4, 25), rng.uniform(0, 6, 2)
        waves = [np.sin(x * across + y * down + phase) for (across, down), phase in zip(ways, phases, strict=True)]
        colour = np.where((waves[0] * waves[1] > rng.uniform(-0.4, 0.4))[..., None], colour, _colour(material, rng))
    bend = np.arcsin(np.clip(x / 1.4, -0.95, 0.95))  # a face is about a cylinder
    if material == "ridged":
        bend = bend + rng.uniform(-0.4, 0.4) * np.sign(x)
    side, above = rng.normal((0, -0.15), (0.7, 0.3))
    shade = 1 + rng.uniform(0, 0.7) * (side * np.sin(bend) + np.cos(bend) - 0.85 + above * (y - 0.9))
    depth = rng.uniform(0, 0.1)
    for (across, down), phase in zip(rng.normal(0, 1, (3, 2)) * rng.uniform(2, 9), rng.uniform(0, 6, 3), strict=True):
        shade = shade + depth * np.sin(across * x + down * y + phase)
    if material == "pleated":
        number, sharp = rng.uniform(1.5, 6), rng.uniform(1, 4)  # of pleats in an eye distance
        pleat = (number * (y + rng.normal(0, 0.15) * x**2) + rng.uniform()) % 1
        shade = shade * (1 - rng.uniform(0.05, 0.4) * (4 * pleat * (1 - pleat) if rng.random() < 0.5 else pleat**sharp))
    if material == "ridged" and rng.random() < 0.4:
        valve = np.hypot(x - rng.uniform(-0.5, 0.5), y - rng.uniform(0.9, 1.3)) < rng.uniform(0.1, 0.25)
        shade = np.where(valve, rng.uniform(0.6, 1.2) * shade, shade)
    shade = shade + min(rng.exponential(0.02), 0.08) * rng.standard_normal(shade.shape, np.float32)  # weave
    return (colour * shade[..., None]).astype(np.float32)


def _cut(sheet: NDArray[np.float32], way: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Return what lies on a sheet where a crop is; `way` (2, 3) leads from the crop's pixels to the sheet's."""
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(sheet, way, (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE), np.float32)


SHEET, SHEET_SCALE = ((-2.0, -1.6), (2.0, 2.4)), 24
"""An occluder is drawn once, on a sheet with these corners and so many px in an eye distance; crops are cut from it."""


def draw_occluder(
    crops: NDArray[np.uint8], points: NDArray[np.float32], name: str, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw an occluder into the crops of one clip, in place, and return how far each component can still be seen.

    It slips a little from frame to frame, and the light on it and the camera's noise change.

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
    (left, top), (right, bottom) = SHEET
    x = np.arange(left, right, 1 / SHEET_SCALE, dtype=np.float32)[None]
    y = np.arange(top, bottom, 1 / SHEET_SCALE, dtype=np.float32)[:, None]
    covered = np.zeros((y.size, x.size), np.uint8)
    for polygon in outline(rng):  # one by one: together, overlapping parts would cancel
        place = (polygon - SHEET[0]) * SHEET_SCALE
        cv2.fillPoly(covered, [np.rint(place * _SUB).astype(np.int32)], 255, cv2.LINE_AA, 4)
    share = np.asarray(cv2.GaussianBlur(covered / np.float32(255), (0, 0), rng.uniform(0.3, 1.3)), np.float32)
    around = cv2.GaussianBlur(share, (0, 0), rng.uniform(0.7, 3))  # its rim, and the shadow beside it
    drawn = _surface(material, x, y, rng) * (1 + rng.uniform(-0.3, 0.2) * (around < 0.85))[..., None]
    left_over = (1 - share) * (1 - rng.uniform(0, 0.5) * around)
    sheet = np.dstack([drawn * share[..., None], left_over])  # a crop is multiplied by the last, and gets the first
    count, size = len(crops), crops.shape[2]
    centres, sides = component_centres(points), component_sides()
    drift = rng.normal(0, rng.uniform(0, 0.025), (count, 2))  # the landmarks below it are guesses, too
    if name == "hand":
        drift += rng.normal(0, 0.015, (count, 2)).cumsum(axis=0)
    light, noise = rng.normal(1, 0.02, count), rng.uniform(0, 4)
    middle = slice(round(size * (1 - MIDDLE) / 2), round(size * (1 + MIDDLE) / 2))
    visible = np.ones(crops.shape[:2], np.float32)
    for t, k in np.ndindex(*crops.shape[:2]):
        step = sides[k] / size
        first = (centres[t, k] - drift[t] - sides[k] / 2 + step / 2 - SHEET[0]) * SHEET_SCALE
        cut = np.array([[step * SHEET_SCALE, 0, first[0]], [0, step * SHEET_SCALE, first[1]]], np.float64)
        here = _cut(share, cut, size)
        if here.max() < 0.01:
            continue
        seen = _cut(sheet, cut, size)
        grain = noise * rng.standard_normal((size, size), np.float32) * here
        crop = crops[t, k] * seen[..., 3:] + light[t] * seen[..., :3] + grain[..., None]
        crops[t, k] = np.clip(crop, 0, 255)
        visible[t, k] = 1 - here[middle, middle].mean()
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
