"""Painting one person's skin: complexion, lips, beard, eyebrows and the scalp under the hair."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .head import smooth
from .identity import Identity
from .landmarks import brow_height
from .skin_map import HEIGHT, WIDTH, SkinMap, fractal_noise, receding

MELANIN_COLOURS = np.array(
    [
        [0.00, 0.80, 0.58, 0.48],
        [0.20, 0.70, 0.46, 0.34],
        [0.35, 0.56, 0.34, 0.22],
        [0.55, 0.36, 0.19, 0.105],
        [0.75, 0.19, 0.092, 0.050],
        [1.0, 0.085, 0.042, 0.026],
    ]
)
"""Melanin and the linear RGB reflectance that goes with it."""
LIPSTICKS = ((0.45, 0.04, 0.06), (0.5, 0.12, 0.12), (0.25, 0.03, 0.06), (0.55, 0.16, 0.18))
EYESHADOWS = ((0.5, 0.35, 0.35), (0.35, 0.35, 0.5), (0.3, 0.22, 0.2))


@dataclass
class Skin:
    """Textures of one person, float32 (640, 1024[, 3]): linear RGB albedo, static relief (texels), gloss."""

    albedo: NDArray
    relief: NDArray
    gloss: NDArray


def paint_skin(skin_map: SkinMap, identity: Identity) -> Skin:
    """Paint a person; sets `identity.brow_curve`, so that brow landmarks lie on the painted brows."""
    at, rng = skin_map, np.random.default_rng([7, identity.seed])
    melanin = identity.melanin
    base = np.array([np.interp(melanin, MELANIN_COLOURS[:, 0], MELANIN_COLOURS[:, k]) for k in (1, 2, 3)])
    base = base * np.array([1, rng.uniform(0.95, 1.05), rng.uniform(0.92, 1.06)])
    blotches = fractal_noise(rng, [(80, 0.5), (30, 0.35), (10, 0.2)])
    pores = fractal_noise(rng, [(3, 0.6), (1.6, 0.6)])
    albedo = np.ones((HEIGHT, WIDTH, 3), np.float32) * base.astype(np.float32)
    albedo *= np.exp(0.05 * blotches + 0.028 * pores)[..., None]
    _paint_complexion(albedo, at, rng, identity, blotches)
    _paint_makeup(albedo, at, rng, identity, base)
    relief = 0.25 * pores + 0.15 * fractal_noise(rng, [(5, 1.0)])
    beard = _paint_beard(albedo, relief, at, rng, identity)
    brows = _paint_brows(albedo, at, rng, identity)
    _paint_scalp(albedo, at, rng, identity)
    gloss = (
        0.35
        + 0.9 * at.blob(0, 7.1, 0.09, 0.25, both=False)
        + 0.5 * at.blob(0, 7.8, 0.3, 0.15, both=False)
        + 0.3 * at.blob(0.38, 7.0, 0.12, 0.1)
        + 1.3 * at.lips
        + 0.2 * blotches
    )
    gloss = np.clip(gloss, 0.05, 2) * (1 - 0.8 * brows) * (1 - 0.7 * np.clip(beard, 0, 1)) * identity.gloss
    return Skin(albedo.astype(np.float32), relief.astype(np.float32), gloss.astype(np.float32))


def _box(layer: NDArray) -> tuple[slice, slice]:
    """Return the rows and columns outside of which a layer is nothing: most cover a small part of the texture."""
    there = layer > 1e-7
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not len(rows):
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _absorb(albedo: NDArray, amount: NDArray, per_channel) -> None:
    """Darken by an absorbing layer (Beer-Lambert), in place."""
    box = _box(amount)
    albedo[box] *= np.exp(amount[box][..., None].astype(np.float32) * -np.array(per_channel, np.float32))


def _cover(albedo: NDArray, coverage: NDArray, colour) -> None:
    """Blend an opaque colour in, in place; coverage 0 to 1, colour (3,) or one per texel."""
    box = _box(coverage)
    amount, colour = coverage[box][..., None].astype(np.float32), np.asarray(colour, np.float32)
    albedo[box] += amount * ((colour[box] if colour.ndim == 3 else colour) - albedo[box])


def _paint_complexion(albedo, at: SkinMap, rng, identity: Identity, blotches: NDArray) -> None:
    red = (
        at.blob(0.45, 6.95, 0.16, 0.13)
        + at.blob(0, 6.98, 0.10, 0.10, both=False) * 0.8
        + at.blob(0, 6.30, 0.14, 0.1, both=False) * 0.35
        + at.ears * 0.9
        + at.blob(0.3, 7.30, 0.16, 0.07) * 0.4
        + at.blob(0, 7.75, 0.4, 0.12, both=False) * 0.15
    )
    red = red * (1 + 0.25 * blotches) * rng.uniform(0.5, 1.3) * (0.35 + 0.65 * (1 - identity.melanin))
    _absorb(albedo, red, [0.02, 0.20, 0.17])
    under_eyes = at.curve([(0.16, 7.18), (0.28, 7.13), (0.42, 7.17)], 5, 5)
    _absorb(albedo, under_eyes * (rng.uniform(0.15, 0.6) + 0.5 * identity.age), [0.30, 0.36, 0.28])
    _absorb(albedo, at.lids * 0.8, [0.10, 0.20, 0.18])
    if identity.freckles > 0.05:
        dots = cv2.GaussianBlur((rng.random((HEIGHT, WIDTH)) > 0.985).astype(np.float32), (0, 0), 0.9) * 5
        where = (at.blob(0.3, 7.0, 0.28, 0.16) + at.blob(0, 7.1, 0.2, 0.15, both=False)).clip(0, 1)
        _absorb(albedo, dots.clip(0, 1) * where * min(1, identity.freckles), [0.35, 0.6, 0.8])
    for _ in range(rng.poisson(1.5)):
        u, v = at.point(rng.uniform(-0.55, 0.55), rng.uniform(6.2, 7.9)).round().astype(int)
        mole = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.circle(mole, (int(u), int(v)), int(rng.integers(1, 3)), 1.0, -1, cv2.LINE_AA)
        _absorb(albedo, mole, [0.7, 1.0, 1.1])


def _paint_makeup(albedo, at: SkinMap, rng, identity: Identity, base: NDArray) -> None:
    lips = base * ([0.80, 0.40, 0.43] if identity.melanin < 0.6 else [0.90, 0.58, 0.64])
    if identity.makeup > 0.3:
        amount = 0.6 * identity.makeup
        lips = lips * (1 - amount) + np.array(LIPSTICKS[rng.integers(4)]) * amount
    coverage = smooth(0.25, 0.65, at.lips) * rng.uniform(0.8, 1)
    grain = np.exp(0.12 * fractal_noise(rng, [(6, 0.5), (2, 0.5)]))[..., None]
    _cover(albedo, coverage, lips * grain)
    if identity.makeup > 0:
        shadow = at.blob(0.31, 7.40, 0.13, 0.05) * 0.7 * identity.makeup
        _cover(albedo, shadow * 0.6, base * np.array(EYESHADOWS[rng.integers(3)]))


def _paint_beard(albedo, relief, at: SkinMap, rng, identity: Identity) -> NDArray:
    if not identity.male:
        return np.zeros((HEIGHT, WIDTH), np.float32)
    hairs = fractal_noise(rng, [(1.3, 1.0)])
    density = max(0.16, identity.beard) * rng.uniform(0.8, 1.1)
    beard = at.beard * np.clip(0.55 * density + 0.45 * (hairs > 0.4 - 0.9 * density), 0, 1) * (0.35 + 0.65 * density)
    _cover(albedo, 0.85 * beard, np.minimum(identity.hair_colour, [0.1, 0.06, 0.04]) * 1.1)
    relief += 1.2 * at.beard * identity.beard * hairs
    return beard


def _paint_brows(albedo, at: SkinMap, rng, identity: Identity) -> NDArray:
    """Draw both brows as short strokes along an arc; return their coverage."""
    thickness = rng.uniform(0.03, 0.05) * (1.1 if identity.male else 0.72)
    arch, slope, dy = rng.uniform(-0.005, 0.03), rng.normal(0, 0.012), rng.normal(0.0, 0.012)
    identity.brow_curve = {"dy": float(dy), "arch": float(arch), "slope": float(slope)}
    strokes = np.zeros((HEIGHT * 2, WIDTH * 2), np.float32)
    count = int(240 * rng.uniform(0.8, 1.4) * (1.25 if identity.male else 1))
    drawn = []
    for side in (1, -1):
        for _ in range(count):
            t = rng.beta(1.1, 1.25)
            taper = (1.0 if t < 0.45 else 1 - 0.85 * (t - 0.45) / 0.55) * (0.65 + 0.35 * min(1, t / 0.15))
            x = 0.085 + 0.455 * t
            y = brow_height(t, **identity.brow_curve) + rng.uniform(-0.5, 0.5) * thickness * taper
            angle = np.interp(t, [0, 0.3, 1], [1.25, 0.55, -0.25]) + rng.normal(0, 0.18)
            length = rng.uniform(0.035, 0.065)
            root, tip = (side * x, y), (side * (x + length * np.cos(angle)), y + length * np.sin(angle))
            drawn.append((*root, *tip, rng.uniform(0.5, 1)))
    table = np.array(drawn)
    roots, tips = (np.round(at.points(table[:, ends]) * 32).astype(int).tolist() for ends in (slice(0, 2), slice(2, 4)))
    for root, tip, shade in zip(roots, tips, table[:, 4], strict=True):
        cv2.line(strokes, root, tip, float(shade), 1, cv2.LINE_AA, 4)
    brows: NDArray = cv2.resize(strokes, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    brows = np.clip(brows * 1.35 + 0.40 * cv2.GaussianBlur(brows, (0, 0), 1.6), 0, 1)
    brows *= 0.88 if identity.hair_colour.mean() < 0.1 else 0.75
    _cover(albedo, brows, identity.brow_colour)
    return brows


def _paint_scalp(albedo, at: SkinMap, rng, identity: Identity) -> None:
    style = identity.hair_style
    if style in ("bald", "scarf"):
        if identity.male:
            _cover(albedo, at.scalp * 0.15, identity.hair_colour)
        return
    scalp = at.scalp
    if style == "receding":
        line = at.y - at.hairline - receding(at.angle, at.y)
        scalp = smooth(-0.05, 0.07, line).astype(np.float32) * (at.ears < 0.3)
    grain = np.exp(0.25 * fractal_noise(rng, [(3, 0.7), (1.5, 0.7)]))[..., None]
    _cover(albedo, scalp * (0.92 if style != "buzz" else 0.86), identity.hair_colour * grain)
