"""Hair: shells of alpha-mapped strands over the scalp, and a curtain for long hair."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .accessories import grid_triangles
from .head import AXIS_Z, HeadModel, smooth
from .identity import Identity
from .skin_map import hairline_height, receding

CURTAIN_COLUMNS, CURTAIN_ROWS = 72, 26
LENGTHS = {"bald": 0.0, "scarf": 0.0, "buzz": 0.03, "tied": 0.06, "receding": 0.07}
SHELLS = {"buzz": 2, "tied": 2, "medium": 6}


@dataclass
class Curtain:
    """Long hair: vertices (V, 3) dm with the head straight, triangles (F, 3), opacity (V,)."""

    vertices: NDArray
    triangles: NDArray
    alpha: NDArray


@dataclass
class Hair:
    """One person's hair.

    Attributes
    ----------
    coverage
        (V,) 0 to 1, where hair grows.
    length
        (V,) dm.
    shells
        How many layers are drawn.
    strand_scale
        Strand texture repeats across and along the hair; short along = tight curls.
    """

    coverage: NDArray
    length: NDArray
    shells: int
    strand_scale: tuple[float, float]
    curtain: Curtain | None


@cache
def strand_texture() -> NDArray:
    """Return a tiling (512, 512) float32 texture of strands, 0 to 1, running down."""
    rng = np.random.default_rng(3)

    def streaks(across: float, along: float) -> NDArray:
        noise = np.tile(rng.normal(size=(512, 512)).astype(np.float32), (3, 3))
        image = cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=along)[512:1024, 512:1024]
        return image / image.std()

    return np.clip(0.5 + 0.24 * (streaks(1.1, 14) * 0.8 + streaks(9, 30) * 0.5), 0, 1).astype(np.float32)


def make_hair(model: HeadModel, identity: Identity) -> Hair:
    """Return the hair of a person."""
    rng = np.random.default_rng([11, identity.seed])
    at, style = model.vertices, identity.hair_style
    angle = np.abs(np.arctan2(at[:, 0], at[:, 2] - AXIS_Z))
    above = at[:, 1] - hairline_height(angle) + rng.normal(0, 0.03)
    if style == "receding":
        above = above - receding(angle, at[:, 1])
    phase = rng.uniform(0, 6, 3)
    waves = np.sin(at[:, 0] * 9 + phase[0]) * np.sin(at[:, 1] * 7 + phase[1]) * np.sin(at[:, 2] * 8 + phase[2])
    spans = {"short": (0.07, 0.14), "medium": (0.11, 0.17), "long": (0.12, 0.2)}
    length = rng.uniform(*spans[style]) if style in spans else LENGTHS[style]
    crown = 1 + (0.5 if style in ("short", "medium") else 0.1) * smooth(7.6, 8.4, at[:, 1])
    scale = (4.2, 2.0) if style in ("short", "buzz", "receding", "medium") else (3.2, 1.0)
    if style == "buzz":
        scale = (8.0, 6.0)
    if identity.melanin > 0.6 and style in ("short", "medium", "buzz", "receding"):
        scale = (2.2, 13.0)
    return Hair(
        coverage=smooth(-0.04, 0.10, above) * (model.ears < 0.4) * model.skin,
        length=length * crown * (1 + 0.25 * waves),
        shells=SHELLS.get(style, 4) if length else 0,
        strand_scale=scale,
        curtain=_make_curtain(model, identity, rng) if style == "long" else None,
    )


def _make_curtain(model: HeadModel, identity: Identity, rng: np.random.Generator) -> Curtain:
    end, front = rng.uniform(5.0, 5.9), rng.uniform(1.12, 1.35)
    heights = np.linspace(7.95, end, CURTAIN_ROWS)
    edge = front - 0.45 * smooth(7.25, 7.9, heights)  # the front edge follows the temple
    across = np.linspace(0, 1, CURTAIN_COLUMNS)
    angle = edge[:, None] + (2 * np.pi - 2 * edge)[:, None] * across[None]
    y = np.repeat(heights[:, None], CURTAIN_COLUMNS, 1)
    drop = smooth(7.7, end, y)
    radius = _head_radius(model, identity, angle)
    radius = radius * (1 - 0.10 * drop) * (1 - 0.12 * smooth(7.6, 8.0, y)) + 0.05 + 0.10 * np.sin(np.pi * drop)
    radius += 0.025 * np.sin(angle * 7 + y * 3 + rng.uniform(0, 6))
    alpha = (
        np.minimum(1, np.minimum(angle - edge[:, None], 2 * np.pi - edge[:, None] - angle) / 0.10 + 0.6)
        * np.minimum(1, (y - end) / 0.35 + 0.3)
        * np.minimum(1, (7.97 - y) / 0.1 + 0.5)
    )
    vertices = np.stack([radius * np.sin(angle), y, AXIS_Z + radius * np.cos(angle)], -1).reshape(-1, 3)
    return Curtain(vertices, grid_triangles(CURTAIN_ROWS, CURTAIN_COLUMNS), alpha.reshape(-1))


def _head_radius(model: HeadModel, identity: Identity, angle: NDArray) -> NDArray:
    """Return the person's head radius (dm) at ear height for each angle (rad, 0 to 2 pi)."""
    at = identity.vertices
    band = model.skin & (at[:, 1] > 6.9) & (at[:, 1] < 7.9)
    around = np.arctan2(at[band, 0], at[band, 2] - AXIS_Z) % (2 * np.pi)
    radius = np.hypot(at[band, 0], at[band, 2] - AXIS_Z)
    edges = np.linspace(0, 2 * np.pi, 49)
    which = np.digitize(around, edges) - 1
    widest = np.array([radius[which == k].max() if (which == k).any() else np.nan for k in range(48)])
    known = ~np.isnan(widest)
    widest[~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), widest[known])
    return np.interp(angle, (edges[1:] + edges[:-1]) / 2, widest)
