"""What makes the renderer fast against plain definitions of what it computes."""

import cv2
import numpy as np
import pytest

from microx_utils.faces.film import GAMMA, develop
from microx_utils.faces.head import head_model
from microx_utils.faces.raster import vertex_normals
from microx_utils.faces.shading import FOLD_STEPS, FOLDS, SHADOW_BIAS, angle_of, light_share, relief_slopes
from microx_utils.faces.skin import _absorb, _cover
from microx_utils.faces.skin_map import skin_map


def test_normals_are_the_area_weighted_means() -> None:
    model = head_model()
    expected = np.zeros_like(model.vertices)
    a, b, c = (model.vertices[model.triangles[:, k]] for k in range(3))
    for corner in range(3):
        np.add.at(expected, model.triangles[:, corner], np.cross(b - a, c - a))
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-9)
    np.testing.assert_allclose(vertex_normals(model.vertices, model.triangles), expected, atol=1e-9)


@pytest.mark.parametrize("step", [1, 2])
def test_shadows_are_means_over_the_window(step: int, rng: np.random.Generator) -> None:
    size = 40
    depth = np.where(rng.random((size, size)) < 0.5, 1.0, 1.3).astype(np.float32)
    depth[:, :18], depth[:, 22:] = 1.0, 1.3  # all near, a mixed stripe, all far
    window = np.ones((5, 5), np.uint8)
    shadows = np.stack([depth, cv2.erode(depth, window), cv2.dilate(depth, window)])
    to_light = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    seen = set()
    for x, y, z in rng.uniform([2, 2, 0.9], [size - 3, size - 3, 1.5], (800, 3)):
        row, column = int(y), int(x)
        texels = depth[row - 2 : row + 3 : step, column - 2 : column + 3 : step]
        expected = np.clip((texels - (z - SHADOW_BIAS)) * 25 + 0.5, 0, 1).mean()
        assert light_share(x, y, z, shadows, to_light, step) == pytest.approx(expected, abs=1e-5)
        seen.add(int(np.ceil(expected * 2 - 1e-9)))
    assert seen == {0, 1, 2}  # dark, in between, lit
    assert light_share(0.5, 20.0, 9.0, shadows, to_light, step) == 1  # nothing is known beyond the map


def test_slopes_are_differences_of_lookups(rng: np.random.Generator) -> None:
    texture = rng.normal(size=(24, 32)).astype(np.float32)

    def lookup(u: float, v: float) -> float:
        rows = np.clip(np.floor(v - 0.5).astype(int) + np.array([0, 1]), 0, 23)
        columns = (np.floor(u - 0.5).astype(int) + np.array([0, 1])) % 32
        fx, fy = (u - 0.5) % 1, (v - 0.5) % 1
        return float([1 - fy, fy] @ texture[np.ix_(rows, columns)] @ [1 - fx, fx])

    for u, v in rng.uniform([-3, -2], [36, 26], (300, 2)):  # round the head, and beyond its top and bottom
        expected = (lookup(u + 1, v) - lookup(u - 1, v)) / 2, (lookup(u, v + 1) - lookup(u, v - 1)) / 2
        np.testing.assert_allclose(relief_slopes(texture, u, v), expected, atol=1e-5)


def test_angles_and_folds_are_close_to_the_functions() -> None:
    around = np.linspace(-np.pi, np.pi, 1001)
    found = [angle_of(3 * np.sin(angle), 3 * np.cos(angle)) for angle in around[1:-1]]
    np.testing.assert_allclose(found, around[1:-1], atol=1e-7)
    assert angle_of(0.0, 0.0) == 0
    share = np.linspace(0, 1, 5003)
    table = np.interp(share, np.arange(FOLD_STEPS + 1) / FOLD_STEPS, FOLDS)
    np.testing.assert_allclose(table, share**1.15, atol=2e-5)


def test_light_is_developed_as_described(rng: np.random.Generator) -> None:
    linear = rng.uniform(0, 3, (8, 12, 3)).astype(np.float32)
    vignette = rng.uniform(0.6, 1, (4, 6, 1)).astype(np.float32)
    noise = rng.normal(0, 0.01, (4, 6, 3)).astype(np.float32)
    light = cv2.resize(linear, (6, 4), interpolation=cv2.INTER_AREA) * 1.2 * vignette
    light = light / (1 + 0.3 * light) * 1.18
    value = np.clip(GAMMA[np.clip(light * 4096, 0, 4095).astype(int)] + noise, 0, 1)
    expected = (value * 255 + 0.5).astype(np.uint8)
    frame = develop(linear, 1.2, vignette, noise)
    assert frame.dtype == np.uint8 and np.abs(frame.astype(int) - expected).max() <= 1  # sums round differently
    assert (frame != expected).mean() < 0.05
    assert develop(np.zeros_like(linear), 1.2, vignette, noise * 0).max() <= 1


def test_layers_of_paint_change_all_texels_that_they_cover(rng: np.random.Generator) -> None:
    albedo = rng.uniform(0.1, 0.9, (30, 40, 3)).astype(np.float32)
    layer = np.zeros((30, 40), np.float32)
    layer[4:9, 7:30], layer[20, 3] = rng.uniform(0, 1, (5, 23)), 0.5
    colours = rng.uniform(0, 1, (30, 40, 3))
    for colour in (colours, colours[0, 0]):
        painted = albedo.copy()
        _cover(painted, layer, colour)
        np.testing.assert_allclose(painted, albedo * (1 - layer[..., None]) + layer[..., None] * colour, atol=1e-6)
    painted = albedo.copy()
    _absorb(painted, layer, [0.1, 0.5, 2.0])
    np.testing.assert_allclose(painted, albedo * np.exp(-layer[..., None] * [0.1, 0.5, 2.0]), atol=1e-6)
    _absorb(painted := albedo.copy(), layer * 0, [0.1, 0.5, 2.0])
    np.testing.assert_array_equal(painted, albedo)


def test_spots_and_nearest_vertices_are_those_of_the_definition() -> None:
    at, model = skin_map(), head_model()
    expected = sum(
        np.exp(-0.5 * (((at.x - side * 0.45) / 0.16) ** 2 + ((at.y - 6.95) / 0.13) ** 2)) * at.front for side in (1, -1)
    )
    np.testing.assert_allclose(at.blob(0.45, 6.95, 0.16, 0.13), expected, atol=1e-6)
    facing = model.vertices[model._front]
    for x, y in ((0.0, 7.1), (-0.3, 7.5), (0.4, 6.6), (0.0, 9.0)):
        nearest = model.front_vertex(x, y)
        apart = np.hypot(facing[:, 0] - x, facing[:, 1] - y)
        assert np.hypot(*(model.vertices[nearest, :2] - [x, y])) == pytest.approx(apart.min())
