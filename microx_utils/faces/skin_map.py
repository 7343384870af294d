"""Where things are on the skin texture: a cylinder around the head, u = angle, v = height."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .action_units import WRINKLES
from .head import AXIS_Z, SKIN, head_model, smooth
from .raster import rasterize

WIDTH, HEIGHT = 1024, 640
"""Texture size, texels: the full circle by 3.2 dm of height."""
BOTTOM, TOP = 5.4, 8.6
"""Heights of the texture's lower and upper edge, dm."""
HAIRLINE = (
    (0, 0.35, 0.6, 0.78, 0.95, 1.15, 1.45, 1.9, 2.4, 3.2),
    (8.02, 8.00, 7.88, 7.62, 7.35, 7.22, 7.40, 6.85, 6.55, 6.45),
)
"""Angle from the front (rad) and height (dm): forehead, temples, sideburn, behind the ear, nape."""


def hairline_height(angle: NDArray) -> NDArray:
    """Return the height (dm) of the hairline at an angle (rad) from straight ahead."""
    return np.interp(np.abs(angle), *HAIRLINE)


def receding(angle: NDArray, y: NDArray) -> NDArray:
    """Return how much the hairline has gone back (dm) for the receding style."""
    return 0.9 * smooth(0.9, 0.3, np.abs(angle)) * smooth(8.6, 8.1, y) + 0.1


def to_texture(x, y, z):
    """Return texture coordinates (texels) of template points."""
    return (np.arctan2(x, z - AXIS_Z) / (2 * np.pi) + 0.5) * WIDTH, (TOP - y) / (TOP - BOTTOM) * HEIGHT


def fractal_noise(rng: np.random.Generator, octaves, size: tuple[int, int] = (HEIGHT, WIDTH)) -> NDArray:
    """Return (H, W) noise: a sum of octaves given as (grain in texels, amplitude)."""
    total = np.zeros(size, np.float32)
    for grain, amplitude in octaves:
        coarse = rng.normal(size=(max(4, int(size[0] / grain)), max(4, int(size[1] / grain)))).astype(np.float32)
        total += amplitude * cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return total


class SkinMap:
    """Template positions and regions per texel, with helpers that draw on the face as seen from the front."""

    def __init__(self) -> None:
        model = self.model = head_model()
        vertices = model.vertices
        u, v = to_texture(*vertices.T)
        triangles = model.triangles[model.part == SKIN]
        triangles = triangles[np.ptp(u[triangles], axis=1) <= WIDTH / 2]  # leave out those across the seam
        radius = np.hypot(vertices[:, 0], vertices[:, 2] - AXIS_Z)
        triangle_id = np.full((HEIGHT, WIDTH), -1, np.int32)
        barycentric = np.zeros((HEIGHT, WIDTH, 2), np.float32)
        z_buffer = np.full((HEIGHT, WIDTH), 1e9, np.float32)
        cull = np.zeros(len(triangles), np.uint8)
        rasterize(np.stack([u, v], 1), -radius, triangles, cull, triangle_id, barycentric, z_buffer)
        covered = triangle_id >= 0
        corners, second = triangles[triangle_id[covered]], barycentric[covered]
        weights = np.column_stack([1 - second.sum(1), second])

        def spread(values: NDArray) -> NDArray:
            image = np.zeros((HEIGHT, WIDTH), np.float32)
            image[covered] = (values[corners] * weights).sum(1)
            return image

        self.x, z = spread(vertices[:, 0]), spread(vertices[:, 2])
        rows = TOP - (np.arange(HEIGHT) + 0.5) / HEIGHT * (TOP - BOTTOM)
        self.y = np.repeat(rows[:, None], WIDTH, 1).astype(np.float32)
        self.angle = ((np.arange(WIDTH) + 0.5) / WIDTH - 0.5)[None] * 2 * np.pi * np.ones((HEIGHT, 1))
        self.lips, self.lids, self.ears = spread(model.lips), spread(model.lids), spread(model.ears)
        self.front = z > 0.6
        self.hairline = hairline_height(self.angle)
        self.scalp = smooth(-0.05, 0.07, self.y - self.hairline).astype(np.float32) * (self.ears < 0.3)
        self.beard = self._beard()
        self.wrinkles = self._wrinkles()
        self.wrinkle_box = (90, 500), (360, 664)
        (top, bottom), (left, right) = self.wrinkle_box
        self.wrinkles_flat = np.ascontiguousarray(
            self.wrinkles[:, top:bottom, left:right].reshape(len(self.wrinkles), -1)
        )

    def point(self, x: float, y: float) -> NDArray:
        """Return texture coordinates (2,) of the face at frontal template position (x, y)."""
        return self.points(np.array([[x, y]]))[0]

    def points(self, positions: NDArray) -> NDArray:
        """Return texture coordinates (n, 2) of the face at frontal template positions (n, 2)."""
        x, y = positions.T
        return np.stack(to_texture(x, y, self.model.vertices[self.model.front_vertices(positions), 2]), axis=1)

    def blob(self, x: float, y: float, width: float, height: float, *, both: bool = True) -> NDArray:
        """Return a Gaussian spot (standard deviations in dm), mirrored to the other side if `both`."""
        spot = np.zeros((HEIGHT, WIDTH), np.float32)
        near = np.flatnonzero(np.abs(self.y[:, 0] - y) < 6 * height)  # beyond, it is less than 1e-7
        rows = slice(near[0], near[-1] + 1)
        aside, level = self.x[rows], -0.5 * ((self.y[rows] - y) / height) ** 2
        for side in (1, -1) if both else (1,):
            spot[rows] += np.exp(level - 0.5 * ((aside - side * x) / width) ** 2) * self.front[rows]
        return spot

    def curve(self, points, thickness: int, blur: float, *, both: bool = True) -> NDArray:
        """Return a soft line through frontal template points, mirrored if `both`; texels."""
        image = np.zeros((HEIGHT, WIDTH), np.float32)
        for side in (1, -1) if both else (1,):
            texels = np.array([self.point(side * x, y) for x, y in points])
            old, new = np.linspace(0, 1, len(texels)), np.linspace(0, 1, 24)
            soft = [cv2.GaussianBlur(texels[:, k : k + 1].astype(np.float32), (1, 3), 0.5)[:, 0] for k in (0, 1)]
            line = np.stack([np.interp(new, old, column) for column in soft], 1)
            cv2.polylines(image, [np.round(line * 16).astype(np.int32)], False, 1.0, max(1, thickness), cv2.LINE_AA, 4)
        return cv2.GaussianBlur(image, (0, 0), blur)

    def _beard(self) -> NDArray:
        x, angle = np.abs(self.x), np.abs(self.angle)
        jaw = np.interp(angle, [0, 0.5, 0.9, 1.2, 1.35, 1.6], [6.82, 6.62, 6.72, 7.0, 7.15, 7.2])
        low = np.interp(angle, [0, 0.6, 1.2, 1.5], [5.95, 6.05, 6.3, 6.6])
        moustache = np.exp(-0.5 * ((x / 0.26) ** 4 + ((self.y - 6.76) / 0.065) ** 4)) * (x > 0.015)
        area = np.maximum(smooth(-0.02, 0.10, jaw - self.y) * smooth(-0.1, 0.1, self.y - low), moustache)
        off_lips = 1 - smooth(0.05, 0.5, cv2.GaussianBlur(self.lips, (0, 0), 2))
        return (area * smooth(1.55, 1.3, angle) * off_lips).astype(np.float32)

    def _wrinkles(self) -> NDArray:
        """Relief layers (16, H, W): the eight folds on the left, then on the right; negative is a groove."""
        forehead = np.zeros((HEIGHT, WIDTH), np.float32)
        for k, (y, depth) in enumerate(((7.66, 1), (7.74, 1), (7.82, 0.8), (7.90, 0.5))):
            line = [(x, y + 0.02 * np.cos(x * 7 + k) - 0.05 * x * x) for x in np.linspace(-0.45, 0.45, 9)]
            forehead += depth * self.curve(line, 2, 2.2, both=False)
        bunny = [self.curve([(0.02, y), (0.06, y + 0.005), (0.11, y - 0.03)], 2, 1.6) for y in (7.22, 7.28, 7.34)]
        crow = [
            self.curve([(0.50, 7.27 + k * 0.01), (0.565, 7.27 + k * 0.055)], 1, 1.3) for k in (-1.2, -0.3, 0.6, 1.4)
        ]
        frown = self.curve([(0.055, 7.40), (0.06, 7.47), (0.05, 7.55)], 2, 2.0)
        smile_line = self.curve([(0.17, 6.95), (0.25, 6.86), (0.32, 6.74), (0.37, 6.60)], 3, 3.0)
        cobbles = np.random.default_rng(5).normal(size=(HEIGHT, WIDTH)).astype(np.float32)
        layers = {
            "forehead": -forehead,
            "glabella": -frown + 0.6 * self.blob(0.14, 7.50, 0.07, 0.05),
            "bunny": -np.sum(bunny, 0),
            "crow": -np.sum(crow, 0),
            "nasolabial": -1.2 * smile_line + 0.7 * self.blob(0.40, 6.90, 0.10, 0.10),
            "undereye": -self.curve([(0.16, 7.19), (0.24, 7.13), (0.33, 7.11), (0.44, 7.15)], 2, 2.0),
            "chin": self.blob(0, 6.32, 0.13, 0.09, both=False) * cv2.GaussianBlur(cobbles, (0, 0), 4) * 10,
            "dimple": -self.curve([(0.39, 6.68), (0.41, 6.60), (0.39, 6.52)], 2, 2.5),
        }
        stack = np.stack([layers[name] for name in WRINKLES]).astype(np.float32)
        left = smooth(-0.06, 0.06, self.x).astype(np.float32)
        return np.concatenate([stack * left, stack * (1 - left)])


@cache
def skin_map() -> SkinMap:
    """Return the one skin map of this process."""
    return SkinMap()
