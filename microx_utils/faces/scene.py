"""Light, background and camera. Everything here is drawn from seeds that do not depend on the emotion."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .skin_map import fractal_noise

SCENES = ("studio", "varied", "outdoor")
SUPERSAMPLING = 2
FACE_Z = 1.245
"""Depth of the eyes, dm."""
MARGIN = 24
"""Background beyond the frame, output pixels at 192 lines: room for the camera's drift."""
HEAD_SPREAD = {"studio": 0.6, "varied": 1.1, "outdoor": 0.9}
"""Scale of head turns: people sit still in a studio."""


@dataclass
class Light:
    """The light of one scene.

    Attributes
    ----------
    table
        float64 (6, 3): key direction, key, sky, ground, rim direction, rim; see `shading`.
    pupil
        Angular radius of the pupil on the eyeball, rad.
    exposure
        Factor on linear light.
    vignette
        float32 (H, W, 1).
    """

    table: NDArray
    pupil: float
    exposure: float
    vignette: NDArray


@dataclass
class Scene:
    """Camera, light and background of a clip.

    Attributes
    ----------
    canvas
        float32 linear RGB, the background at twice the frame's size plus a margin.
    eye
        (3,) camera position, dm; it looks along -z.
    focal
        Output pixels per unit of tangent.
    centre
        (2,) principal point, output pixels.
    drift
        (T, 2) how far the picture moves, output pixels.
    parallax
        The background's share of the drift: 1 if the camera turns, less if it moves.
    grain
        Standard deviation of sensor noise, 0 to 1 scale.
    """

    size: tuple[int, int]
    light: Light
    canvas: NDArray
    eye: NDArray
    focal: float
    centre: NDArray
    drift: NDArray
    parallax: float
    grain: float

    def background(self, frame: int, out: NDArray[np.float32]) -> None:
        """Paint the background of a frame over `out`, float32 (2H, 2W, 3)."""
        height, width = out.shape[:2]
        margin = np.array([self.canvas.shape[1] - width, self.canvas.shape[0] - height]) / 2
        corner = margin - self.drift[frame] * self.parallax * SUPERSAMPLING
        corner = np.clip(corner, 0, 2 * margin)
        if (corner == np.round(corner)).all():
            x, y = corner.astype(int)
            out[:] = self.canvas[y : y + height, x : x + width]
        else:
            shift = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]]])
            cv2.warpAffine(self.canvas, shift, (width, height), dst=out, flags=cv2.INTER_LINEAR)


def make_scene(
    name: str, seed: tuple[int, ...], *, size: tuple[int, int], frames: int, eye_distance: float, melanin: float
) -> Scene:
    """Return a scene, drawn at random.

    Parameters
    ----------
    name
        "studio" (green backdrop, soft frontal light), "varied" (blurred rooms, any light) or
        "outdoor" (hard sun, blue sky, hand-held camera with a wide lens).
    seed
        Integers that the scene is drawn from.
    size
        (width, height) of the frame, pixels.
    frames
        Length of the clip.
    eye_distance, melanin
        The person's: the first sets the framing, the second the exposure.
    """
    if name not in SCENES:
        raise ValueError(f"unknown scene {name!r}; known are {', '.join(SCENES)}")
    rng = np.random.default_rng([5, SCENES.index(name), *seed])
    width, height = size
    unit = height / 192  # framing was chosen on 192 lines
    if name == "studio":
        light = _studio_light(rng, size, melanin)
        canvas = _green_screen(rng, size) / light.exposure
        distance, eyes_px, eyes_at = 12.5, rng.uniform(38.0, 39.5), (rng.normal(0, 0.02), 0.49 + rng.normal(0, 0.008))
        drift, parallax, grain = np.zeros((frames, 2)), 0.0, 0.006
    elif name == "varied":
        light = _any_light(rng, size, melanin)
        canvas = _blurred_room(rng, size)
        distance, eyes_px = rng.uniform(7.5, 14), rng.uniform(40, 50)
        eyes_at = (rng.uniform(-0.12, 0.12), 0.48 + rng.normal(0, 0.02))
        drift, parallax, grain = _hand_drift(rng, frames, 0.12), 0.5, 0.008
    else:
        light = _sun_light(rng, size, melanin)
        canvas = _open_air(rng, size) / light.exposure
        distance, eyes_px = rng.uniform(4.8, 6.2), rng.uniform(40, 48)
        eyes_at = (rng.uniform(-0.08, 0.08), 0.46 + rng.normal(0, 0.02))
        drift, parallax, grain = _hand_drift(rng, frames, 0.45), 1.0, 0.007
    eyes_px *= unit
    eye = np.array([0.0, 7.2, FACE_Z + distance])
    focal = eyes_px * distance / eye_distance
    # places the eyes (at y = 7.284) at `eyes_at`, a share of the frame
    centre = np.array([width * (0.5 + eyes_at[0]), height * eyes_at[1] + focal * (7.284 - eye[1]) / distance])
    return Scene(size, light, canvas.astype(np.float32), eye, focal, centre, drift * unit, parallax, grain)


def _hand_drift(rng: np.random.Generator, frames: int, step: float) -> NDArray:
    """Return a smoothed random walk (T, 2) that stays within the margin, pixels at 192 lines."""
    walk = np.cumsum(rng.normal(0, step, (frames + 8, 2)), 0)
    smooth = np.stack([np.convolve(walk[:, k], np.ones(9) / 9, "valid") for k in (0, 1)], 1)
    return np.clip(smooth - smooth.mean(0), -MARGIN + 1, MARGIN - 1)


def _direction(azimuth: float, elevation: float) -> NDArray:
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])


def _vignette(size: tuple[int, int], strength: float) -> NDArray:
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius2 = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / height**2
    return (1 - strength * np.minimum(radius2, 1.2))[..., None].astype(np.float32)


def _rim(rng: np.random.Generator) -> NDArray:
    return _direction(rng.choice([-1, 1]) * rng.uniform(1.9, 2.5), 0.34)


def _studio_light(rng: np.random.Generator, size, melanin: float) -> Light:
    warmth = rng.normal(0, 0.02)
    key = np.array([1 + warmth, 1, 1 - warmth]) * rng.uniform(0.62, 0.72)
    fill = np.array([1, 1, 1]) * rng.uniform(0.60, 0.70)
    table = [
        _direction(rng.normal(0, 0.22), rng.uniform(0.35, 0.6)),
        key,
        fill,
        fill * np.array([0.55, 0.62, 0.55]),  # a little green comes back from the screen
        _rim(rng),
        key * 0.12,
    ]
    exposure = rng.uniform(1.0, 1.1) * (1 + 0.45 * melanin)
    return Light(np.array(table), rng.uniform(0.14, 0.2), exposure, _vignette(size, 0.05))


def _any_light(rng: np.random.Generator, size, melanin: float) -> Light:
    warmth = rng.normal(0, 0.12)
    direction = _direction(rng.normal(0, 0.75), rng.uniform(0.05, 0.9))
    key = np.array([1 + warmth, 1, 1 - warmth]) * rng.uniform(0.6, 1.15)
    fill = np.array([1 - warmth * 0.6, 1, 1 + warmth * 0.6]) * rng.uniform(0.30, 0.75)
    ground = fill * rng.uniform(0.35, 0.7) * np.array([1.05, 1, 0.95])
    rim = key * rng.uniform(0, 0.5)
    exposure = rng.uniform(0.9, 1.2) * (1 + 0.45 * melanin)
    table = np.array([direction, key, fill, ground, _rim(rng), rim])
    return Light(table, rng.uniform(0.13, 0.22), exposure, _vignette(size, rng.uniform(0, 0.4)))


def _sun_light(rng: np.random.Generator, size, melanin: float) -> Light:
    direction = _direction(rng.choice([-1, 1]) * rng.uniform(0.2, 1.0), rng.uniform(0.45, 0.9))
    sun = np.array([1.12, 1.0, 0.82]) * rng.uniform(1.35, 1.75)
    sky = np.array([0.70, 0.90, 1.25]) * rng.uniform(0.24, 0.38)
    ground = np.array([1.0, 0.92, 0.68]) * rng.uniform(0.18, 0.34)
    exposure = rng.uniform(0.85, 1.0) * (1 + 0.45 * melanin)
    table = np.array([direction, sun, sky, ground, _rim(rng), sky * rng.uniform(0.2, 0.6)])
    return Light(table, rng.uniform(0.10, 0.14), exposure, _vignette(size, 0.1))  # pupils are small in the sun


def _canvas_size(size: tuple[int, int]) -> tuple[int, int, int]:
    """Return height and width of the canvas, and the frame's height on it."""
    margin = round(MARGIN * size[1] / 192) * SUPERSAMPLING
    height = size[1] * SUPERSAMPLING
    return height + 2 * margin, size[0] * SUPERSAMPLING + 2 * margin, height


def _green_screen(rng: np.random.Generator, size) -> NDArray:
    height, width, _ = _canvas_size(size)
    y, x = np.mgrid[0:1:1j*height, -1:1:1j*width].astype(np.float32)  # fmt: skip
    falloff = 1.05 - 0.22 * y - 0.10 * x * x + rng.normal(0, 0.03) * x
    green = np.array([0.16, 0.42, 0.20]) * rng.uniform(0.92, 1.08)
    cloth = 0.006 * fractal_noise(rng, [(height / 5, 1.0)], (height, width))
    return np.clip(falloff[..., None] * green + cloth[..., None], 0.01, 1)


def _muted(rng: np.random.Generator, low: float, high: float, saturation: float) -> NDArray:
    colour = rng.uniform(low, high, 3)
    return colour.mean() + (colour - colour.mean()) * saturation


def _blurred_room(rng: np.random.Generator, size) -> NDArray:
    """Return an out-of-focus interior: a gradient, then boxes and discs blurred away."""
    height, width, frame = _canvas_size(size)
    first = _muted(rng, 0.03, 0.5, rng.uniform(0.05, 0.45)) * rng.uniform(0.4, 1)
    second = np.clip(first * rng.uniform(0.5, 1.5) * rng.uniform(0.85, 1.15, 3), 0, 0.8)
    y, x = np.mgrid[-0.5:0.5:1j*height, -0.5:0.5:1j*width].astype(np.float32)  # fmt: skip
    angle = rng.uniform(0, 2 * np.pi)
    blend = np.clip(x * np.cos(angle) + y * np.sin(angle) + 0.5, 0, 1)[..., None]
    image = (first * (1 - blend) + second * blend).astype(np.float32)
    kind = rng.integers(0, 4)
    if kind >= 1:
        image = _add_clutter(rng, image, frame // 4, discs=0.7 if kind == 2 else 0.0)
    image += 0.01 * fractal_noise(rng, [(frame / 6, 0.6), (frame / 40 + 1, 0.3)], (height, width))[..., None]
    return np.clip(image, 0.003, 1)


def _add_clutter(rng, image: NDArray, unit: int, *, discs: float) -> NDArray:
    """Draw blurred objects on an image, at a quarter of its size; `unit` is the frame's height at that size."""
    small = cv2.resize(image, (image.shape[1] // 4, image.shape[0] // 4))
    rows, columns = small.shape[:2]
    for _ in range(rng.integers(6, 20)):
        colour = tuple(float(c) for c in np.clip(_muted(rng, 0, 0.7, 0.3) * rng.uniform(0.3, 1.2), 0, 1))
        x, y = int(rng.integers(-unit // 4, columns)), int(rng.integers(-unit // 4, rows))
        if rng.random() < discs:
            cv2.circle(small, (x, y), int(rng.integers(unit // 30 + 1, unit // 8)), colour, -1)
        else:
            far = x + int(rng.integers(unit // 8, unit // 2)), y + int(rng.integers(unit // 8, unit))
            cv2.rectangle(small, (x, y), far, colour, -1)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.022, 0.06) * unit)
    return cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_CUBIC)


def _open_air(rng: np.random.Generator, size) -> NDArray:
    """Return sky, a far line of trees or walls, and sunlit ground, out of focus."""
    height, width, frame = _canvas_size(size)
    y, x = np.mgrid[0:1:1j*height, -1:1:1j*width].astype(np.float32)  # fmt: skip
    horizon = rng.uniform(0.45, 0.75) + 0.04 * np.sin(x * rng.uniform(1, 5) + rng.uniform(0, 6))
    sky = np.array([0.35, 0.55, 0.95]) * (0.55 + 0.45 * y[..., None] / 0.7)
    leaves = np.array([[0.07, 0.14, 0.04], [0.12, 0.16, 0.05], [0.22, 0.20, 0.17]][rng.integers(3)])
    ground = np.array([[0.24, 0.26, 0.10], [0.34, 0.31, 0.26], [0.42, 0.36, 0.25]][rng.integers(3)])
    tops = horizon - rng.uniform(0.15, 0.35) - 0.05 * fractal_noise(rng, [(frame / 5, 1.0)], (height, width))
    mottled = np.exp(0.45 * fractal_noise(rng, [(frame / 12, 0.7), (frame / 30, 0.5)], (height, width)))[..., None]
    image = np.where((y < tops)[..., None], sky, leaves * mottled)
    image = np.where((y > horizon)[..., None], ground * (0.8 + 0.2 * mottled), image).astype(np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), frame * rng.uniform(0.008, 0.022))
    return np.clip(blurred, 0.003, 1.2)
