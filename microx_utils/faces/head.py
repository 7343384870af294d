"""The head: one template mesh, its identity and expression targets, and how it is deformed and turned.

Coordinates everywhere in this package: decimetres, +x to the person's left (the image's right), +y up,
+z towards the camera. The mesh is MakeHuman's (CC0); see NOTICE.
"""

import json
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .raster import vertex_normals

SKIN, EYE, TEETH, LASH, TONGUE, HELPER = range(6)
"""Parts of the template mesh. HELPER (a hair proxy) is never drawn."""
AXIS_Z = 0.45
"""z of the vertical axis (x = 0) around which the skin texture is wrapped as a cylinder, dm."""
PIVOT = np.array([0.0, 6.3, 0.45])
"""Where the head turns on the neck, dm."""
EYE_LEVEL = np.array([0.0, 7.284, 1.245])
"""Midpoint between the eye centres of everybody at rest, dm."""
TEMPLATE_EYE_DISTANCE = 0.6155
DELTA_STEP = 1 / 2000
"""The asset keeps vertex offsets in steps of 0.05 mm."""


def smooth(low: float, high: float, x):
    """Return the cubic step that is 0 at `low` and 1 at `high` (`low` may be the larger)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def rotation(yaw: float, pitch: float, roll: float = 0.0) -> NDArray:
    """Return the 3×3 rotation: pitch about x, then yaw about y, then roll about z; radians.

    Positive yaw turns to the person's left, positive pitch lifts the chin, positive roll tips the crown to their right.
    """
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    return (
        np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    )


class HeadModel:
    """The template mesh with its targets.

    Attributes
    ----------
    vertices
        float64 (V, 3), the template at rest.
    triangles, part
        int32 (F, 3) and the part of each triangle; `vertex_part` is the same per vertex.
    lips, inside_mouth, ears, lids
        float (V,), 0 to 1 masks on the skin.
    occlusion
        float (V,), baked ambient occlusion: 1 sees the whole sky.
    shapes
        float32 (S, 3V), offsets of the expression shapes named in `shape_names`.
    """

    def __init__(self) -> None:
        data = np.load(BytesIO(files("microx_utils.faces").joinpath("head_asset.npz").read_bytes()))
        self.vertices = data["V"].astype(np.float64)
        count = len(self.vertices)
        corner_vertex = data["corner_v"].astype(int)
        self.triangles = corner_vertex[data["tris"].astype(int)].astype(np.int32)
        self.part = data["tri_part"].astype(np.int64)
        self.vertex_part = np.zeros(count, int)
        for part in range(6):
            self.vertex_part[np.unique(self.triangles[self.part == part])] = part
        self.skin = self.vertex_part == SKIN
        self.visible = self.part != HELPER
        self.eyes = [np.flatnonzero((self.vertex_part == EYE) & (self.vertices[:, 0] * s > 0)) for s in (1, -1)]
        self.occlusion = data["ao"] / 255.0

        uv = np.zeros((count, 2))
        uv[corner_vertex] = data["uv"] / 65535.0
        self.lips, self.inside_mouth = self._mask(data["mask_lips"], uv), self._mask(data["mask_inside_mouth"], uv)
        self.lids, self.ears = self._mask(data["mask_eyelids"], uv), self._mask(data["mask_ears"], uv)

        self.target_names = [str(name) for name in data["id_names"]]
        self._targets = {name: i for i, name in enumerate(self.target_names)}
        self._target_data = data["id_ptr"], data["id_idx"], data["id_val"]
        self.shape_names, self.shapes = self._load_shapes(data)
        self.shape_index = {name: i for i, name in enumerate(self.shape_names)}

        normals = vertex_normals(self.vertices, self.triangles)
        facing = self.skin & (normals[:, 2] > 0.15) & (self.vertices[:, 2] > 0.6) & (self.inside_mouth < 0.5)
        self._front = np.flatnonzero(facing)
        self._front_tree = cKDTree(self.vertices[self._front, :2])

    def _mask(self, image: NDArray, uv: NDArray) -> NDArray:
        size = image.shape[0]
        column = np.clip((uv[:, 0] * size).astype(int), 0, size - 1)
        row = np.clip(((1 - uv[:, 1]) * size).astype(int), 0, size - 1)
        mask = image[row, column].astype(np.float32) / 255
        mask[~self.skin] = 0
        return mask

    def _load_shapes(self, data) -> tuple[list[str], NDArray]:
        names = [str(name) for name in data["ex_names"]]
        first, index, value = data["ex_ptr"], data["ex_idx"], data["ex_val"]
        shapes = np.zeros((len(names), len(self.vertices), 3), np.float32)
        for i in range(len(names)):
            shapes[i, index[first[i] : first[i + 1]]] = value[first[i] : first[i + 1]] * DELTA_STEP
        shapes[:, self.vertex_part == EYE] = 0  # eyeballs turn as rigid spheres instead
        # The inner brow raiser comes as one shape for both sides; AU1 has to work on one side alone.
        inner = names.index("browInnerUp")
        left_share = smooth(-0.12, 0.12, self.vertices[:, 0]).astype(np.float32)[:, None]
        halves = [shapes[inner] * left_share, shapes[inner] * (1 - left_share)]
        names += ["browInnerUpLeft", "browInnerUpRight"]
        raises = self._brow_raises()
        names += ["raiseInnerLeft", "raiseInnerRight", "raiseOuterLeft", "raiseOuterRight"]
        return names, np.concatenate([shapes, np.stack(halves), raises]).reshape(len(names), -1)

    def _brow_raises(self) -> NDArray:
        """Return shapes (4, V, 3) that slide the forehead's skin up by 0.1 dm: inner and outer half, left and right.

        The brow keeps its form, because everything between the fold of the lid and the middle of the forehead
        moves alike; the skin above and below gives way.
        """
        x, y = self.vertices[:, 0], self.vertices[:, 1]
        normals = vertex_normals(self.vertices, self.triangles)
        along = np.array([0, 1, 0]) - normals[:, 1:2] * normals
        amount = smooth(7.33, 7.44, y) * smooth(8.05, 7.60, y) * smooth(0.5, 0.8, self.vertices[:, 2]) * self.skin
        inner = smooth(0.46, 0.16, np.abs(x))
        outer = 1 - inner
        outer *= smooth(0.75, 0.60, np.abs(x))
        left = smooth(-0.05, 0.05, x)
        fields = [amount * part * side for part in (inner, outer) for side in (left, 1 - left)]
        return np.stack([0.1 * f[:, None] * along for f in fields]).astype(np.float32)

    def target(self, name: str) -> NDArray:
        """Return the offsets (V, 3) of an identity target; zeros for one the asset leaves out as too small."""
        offsets = np.zeros_like(self.vertices)
        i = self._targets.get(name)
        if i is not None:
            first, index, value = self._target_data
            offsets[index[first[i] : first[i + 1]]] = value[first[i] : first[i + 1]] * DELTA_STEP
        return offsets

    def front_vertices(self, points: NDArray) -> NDArray:
        """Return the front skin vertices of the template nearest to frontal points (n, 2)."""
        return self._front[self._front_tree.query(points)[1]]

    def front_vertex(self, x: float, y: float) -> int:
        """Return the front skin vertex of the template nearest to frontal (x, y)."""
        return int(self.front_vertices(np.array([x, y])))

    def surface_points(self, points: NDArray) -> tuple[NDArray, NDArray]:
        """Return vertex indices (n, 3) and weights (n, 3, 1) of the front skin at frontal template points (n, 2)."""
        triangles = self.triangles[self.part == SKIN]
        a, b, c = (self.vertices[triangles[:, i]] for i in range(3))
        facing = (np.cross(b - a, c - a)[:, 2] > 1e-9) & (a[:, 2] > 0.6)
        area = 1e-12 + (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        index, weights = [], []
        for x, y in points:
            w1 = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (y - a[:, 1])) / area
            w2 = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (x - a[:, 0]) * (b[:, 1] - a[:, 1])) / area
            hits = np.flatnonzero(facing & (w1 >= -1e-9) & (w2 >= -1e-9) & (w1 + w2 <= 1 + 1e-9))
            nearest = hits[np.argmax(a[hits, 2])]
            index.append(triangles[nearest])
            weights.append([1 - w1[nearest] - w2[nearest], w1[nearest], w2[nearest]])
        return np.array(index), np.array(weights)[..., None]


@cache
def head_model() -> HeadModel:
    """Return the one head model of this process (about a second to load)."""
    return HeadModel()


@cache
def template_landmarks() -> tuple[NDArray, NDArray]:
    """Return vertex indices (68, 3) and barycentric weights (68, 3, 1) of the iBUG-68 points on the template."""
    data = json.loads(files("microx_utils.faces").joinpath("landmarks68.json").read_text())
    return np.array(data["idx"]), np.array(data["w"])[..., None]


def deform(rest: NDArray, weights: NDArray, gaze: NDArray, eye_centres: NDArray, scale: float = 1.0) -> NDArray:
    """Return the vertices (V, 3) of a person with an expression, head straight.

    Parameters
    ----------
    rest
        (V, 3), the person's neutral face.
    weights
        (S,), weight of each expression shape.
    gaze
        (yaw, pitch) of both eyes, radians; positive yaw looks to the person's left, positive pitch up.
    eye_centres
        (2, 3), the person's left and right eye.
    scale
        Size of the expression offsets relative to the template.
    """
    model = head_model()
    used = np.flatnonzero(np.abs(weights) > 1e-4)
    vertices = rest + scale * (weights[used].astype(np.float32) @ model.shapes[used]).reshape(-1, 3)
    turn = rotation(gaze[0], gaze[1])
    for eye, centre in zip(model.eyes, eye_centres, strict=True):
        vertices[eye] = (rest[eye] - centre) @ turn.T + centre
    return vertices


def neck_weight(y: NDArray) -> NDArray:
    """Return how far a point at height y (dm, template) follows the head: 0 on the shoulders, 1 on the head."""
    return smooth(5.15, 6.15, y)


def turn_head(vertices: NDArray, follow: NDArray, turn: NDArray) -> NDArray:
    """Rotate about the neck, blended by `follow` (V,), so that the shoulders stay."""
    moved = (vertices - PIVOT) @ turn.T + PIVOT
    follow = follow[:, None]
    return follow * moved + (1 - follow) * vertices
