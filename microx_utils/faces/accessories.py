"""Glasses, surgical masks and clothes. Each is a small mesh fitted to the person."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .head import AXIS_Z, SKIN, HeadModel, smooth
from .identity import Identity
from .raster import vertex_normals

CUT_X = 1.85
"""The bust is cut off at `abs(x)` = 2.2 dm; its edge beyond this `abs(x)` is continued by a sleeve."""


class Mesh(NamedTuple):
    """vertices (V, 3) dm, triangles (F, 3), normals (V, 3)."""

    vertices: NDArray
    triangles: NDArray
    normals: NDArray


def join(meshes: list[Mesh]) -> Mesh:
    """Return several meshes as one."""
    first = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.triangles + k for mesh, k in zip(meshes, first, strict=True)]),
        np.concatenate([mesh.normals for mesh in meshes]),
    )


def ribbon(line: NDArray, half_width: NDArray, normal, *, closed: bool = False) -> Mesh:
    """Return a flat ribbon along a poly-line (n, 3) with a half-width vector per point (n, 3)."""
    count = len(line)
    triangles = []
    for i in range(count if closed else count - 1):
        j = (i + 1) % count
        triangles += [[i, j, count + i], [j, count + j, count + i]]
    vertices = np.concatenate([line - half_width, line + half_width])
    return Mesh(vertices, np.array(triangles), np.repeat(np.array(normal, float)[None], 2 * count, 0))


def grid_triangles(rows: int, columns: int, *, flip: bool = False) -> NDArray:
    """Return the triangles of a grid of vertices numbered row by row."""
    start = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    right, below, across = start + 1, start + columns, start + columns + 1
    upper, lower = np.stack([start, right, below], 1), np.stack([right, across, below], 1)
    triangles = np.stack([upper, lower], 1).reshape(-1, 3).astype(np.int32)
    return triangles[:, [0, 2, 1]] if flip else triangles


def make_glasses(model: HeadModel, identity: Identity) -> Mesh:
    """Return spectacle frames on the person's nose: superellipse rims, bridge and temples."""
    shape = identity.glasses
    if shape is None:
        raise ValueError("this person wears no glasses")
    eyes, at = identity.eye_centres, identity.vertices
    width, height, thickness = shape["half_width"], shape["half_height"], shape["thickness"]
    lid = model.skin & (np.abs(at[:, 0]) < 0.6) & (at[:, 1] > 7.1) & (at[:, 1] < 7.55)
    front = max(at[lid][:, 2].max() - 0.02, eyes[:, 2].max() + 0.22)
    temple = model.skin & (at[:, 2] < 0.8) & (at[:, 1] > 7.2) & (at[:, 1] < 7.5)
    half_head = np.abs(at[temple][:, 0]).max() - 0.06
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    power = shape["roundness"]
    radius = (np.abs(np.cos(turn)) ** power + np.abs(np.sin(turn)) ** power) ** (-1 / power)
    x, y = width * radius * np.cos(turn), height * radius * np.sin(turn)
    outward = np.stack([x, y, 0 * x], 1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    parts = []
    for eye, side in ((0, 1), (1, -1)):
        centre = np.array([eyes[eye, 0] * 1.02, eyes[eye, 1] - 0.03, front])
        rim = centre + np.stack([x, y, -0.08 * np.abs(x * side + width)], 1)
        parts.append(ribbon(rim, outward * thickness, [0, 0.25, 1], closed=True))
        hinge = centre + np.array([side * width, 0.4 * height, -0.16 * width])
        bend = hinge + np.array([side * 0.08, 0, -0.06])
        arm = np.array([hinge, bend, [side * half_head, hinge[1] - 0.02, 0.55]])
        parts.append(ribbon(arm, np.array([[0, thickness * 1.2, 0]] * 3), [side * 0.9, 0.2, 0.5]))
    bridge = np.array(
        [
            [eyes[0, 0] * 1.02 - width, eyes[0, 1] + 0.02, front - 0.005],
            [0, eyes[0, 1] + 0.045, front + 0.02],
            [eyes[1, 0] * 1.02 + width, eyes[0, 1] + 0.02, front - 0.005],
        ]
    )
    parts.append(ribbon(bridge, np.array([[0, thickness, 0]] * 3), [0, 0.3, 1]))
    return join(parts)


class MaskFitter:
    """Fits a surgical mask to a face in any expression: a smooth hull around the nose, mouth and chin."""

    COLUMNS, ROWS = 41, 33
    GRID = 48
    LOW, HIGH = 5.75, 7.4  # heights covered by the radius map, dm
    HALF_ANGLE = 1.18  # rad

    def __init__(self, model: HeadModel) -> None:
        self.model = model
        at = model.vertices
        angle = np.arctan2(at[:, 0], at[:, 2] - AXIS_Z)
        near = model.skin & (np.abs(angle) < 1.6) & (at[:, 1] > 5.85) & (at[:, 1] < 7.35)
        self.covered = np.flatnonzero(near & (model.inside_mouth < 0.5) & (at[:, 2] > 0.5))
        self.chin = model.skin & (at[:, 2] > 1.1) & (at[:, 1] < 6.3) & (at[:, 1] > 5.9)
        self.ears = model.skin & (model.ears > 0.3)
        self.nose = model.front_vertex(0, 7.12)

    def fit(self, vertices: NDArray) -> Mesh:
        """Return the mask for a deformed face (V, 3) with the head straight."""
        hull = self._hull(vertices[self.covered])
        angle = np.linspace(-self.HALF_ANGLE, self.HALF_ANGLE, self.COLUMNS)
        down = np.linspace(0, 1, self.ROWS)
        aside = np.abs(angle / self.HALF_ANGLE)
        top = vertices[self.nose, 1] - 0.20 * aside**1.3
        bottom = vertices[self.chin, 1].min() - 0.02 + 0.42 * aside**2.2
        y = top[None] + (bottom - top)[None] * down[:, None]
        angles = np.repeat(angle[None], self.ROWS, 0)
        u = ((angles + 1.5) / 3 * self.GRID - 0.5).astype(np.float32)
        v = ((y - self.LOW) / (self.HIGH - self.LOW) * self.GRID - 0.5).astype(np.float32)
        radius = cv2.remap(hull, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        folds = 0.016 * np.sin(np.clip((down - 0.15) / 0.7, 0, 1) * np.pi * 6)[:, None] * (np.abs(angles) < 1.0)
        radius = radius + folds + 0.012 * (np.abs(down - 0.5) > 0.46)[:, None]
        sheet = np.stack([radius * np.sin(angles), y, AXIS_Z + radius * np.cos(angles)], -1).reshape(-1, 3)
        triangles = grid_triangles(self.ROWS, self.COLUMNS, flip=True)
        parts = [Mesh(sheet, triangles, vertex_normals(sheet, triangles))]
        half_head = np.abs(vertices[self.ears, 0]).min() + 0.02
        for side, column in ((1, self.COLUMNS - 1), (-1, 0)):
            ear = np.array([side * half_head, 7.28, 0.55])
            for row, dy in ((1, 0.12), (self.ROWS - 2, -0.28)):
                start, end = sheet[row * self.COLUMNS + column], ear + np.array([0, dy, 0])
                loop = np.array([start, (start + end) / 2 + [side * 0.06, 0, 0], end])
                parts.append(ribbon(loop, np.array([[0, 0.012, 0]] * 3), [side, 0.1, 0.4]))
        return join(parts)

    def _hull(self, points: NDArray) -> NDArray:
        """Return the radius (dm) by height and angle of a surface that spans the face's hollows."""
        size = self.GRID
        angle, radius = np.arctan2(points[:, 0], points[:, 2] - AXIS_Z), np.hypot(points[:, 0], points[:, 2] - AXIS_Z)
        row = ((points[:, 1] - self.LOW) / (self.HIGH - self.LOW) * size).astype(int).clip(0, size - 1)
        column = ((angle + 1.5) / 3.0 * size).astype(int).clip(0, size - 1)
        grid: NDArray = np.zeros((size, size), np.float32)
        np.maximum.at(grid, (row, column), radius.astype(np.float32))
        grid = cv2.dilate(grid, np.ones((3, 3)))
        grid[grid == 0] = 0.55
        hull = cv2.morphologyEx(grid, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 23)))
        hull = np.maximum(cv2.GaussianBlur(hull, (0, 0), 2.2), grid) + 0.015
        return cv2.GaussianBlur(hull, (0, 0), 1.0) + 0.012


def cloth_coverage(model: HeadModel, identity: Identity) -> NDArray:
    """Return (V,) 0 to 1: how far each skin vertex is under the person's top."""
    y, x, z = model.vertices[:, 1], np.abs(model.vertices[:, 0]), model.vertices[:, 2]
    collar = {
        "tee": 5.62 + 0.25 * smooth(0.25, 0.75, x),
        "vneck": 5.25 + 0.75 * smooth(0.0, 0.75, x),
        "shirt": 5.72 + 0.25 * smooth(0.1, 0.6, x),
        "turtle": np.full(len(x), 6.02),
    }[identity.cloth_kind]
    collar = np.where(z < 0.3, np.maximum(collar, 5.85), collar)
    coverage = smooth(-0.06, 0.06, collar - y)
    coverage[~model.skin] = 0
    return coverage


def make_sleeves(model: HeadModel, vertices: NDArray) -> Mesh:
    """Return upper arms that continue the bust's cut edge outwards and down, so that no frame shows the cut.

    `vertices` (V, 3) is the person at rest, clothes included.
    """
    index, edge = _cut(model)
    start = vertices[index]
    side = np.sign(start[:, :1])
    middle = start + side * [0.30, 0, 0] + [0, -0.16, 0]
    end = start + side * [0.52, 0, 0] + [0, -1.4, 0]
    points = np.concatenate([start, middle, end])
    n = len(index)
    quads = [
        [[a + k * n, b + k * n, a + (k + 1) * n], [b + k * n, b + (k + 1) * n, a + (k + 1) * n]]
        for a, b in edge
        for k in (0, 1)
    ]
    faces = np.array(quads).reshape(-1, 3)
    outward = points - [0, 4.6, 0.1]
    outward[:, 0] -= np.sign(outward[:, 0]) * 1.7
    return Mesh(points, faces, outward / np.linalg.norm(outward, axis=1, keepdims=True))


@cache
def _cut(model: HeadModel) -> tuple[NDArray, NDArray]:
    """Return the vertices (n,) of the bust's cut edges and the edges between them, as pairs of their places (e, 2)."""
    triangles = model.triangles[model.part == SKIN]
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    rim = unique[count == 1]
    rim = rim[(np.abs(model.vertices[rim, 0]) > CUT_X).all(1) & (model.vertices[rim, 1] < 6.2).all(1)]
    index, edge = np.unique(rim, return_inverse=True)
    return index, edge.reshape(rim.shape)
