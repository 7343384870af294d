"""Drawing one frame: mesh, shadows, skin, hair, clothes and accessories, then exposure and grain."""

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .action_units import shape_weights, wrinkle_depths
from .film import develop
from .hair import strand_texture
from .head import HELPER, LASH, PIVOT, SKIN, deform, head_model, neck_weight, rotation, turn_head
from .landmarks import landmark_positions
from .person import Person
from .raster import rasterize, vertex_normals
from .scene import SUPERSAMPLING, Scene
from .shading import CLOTH, FRAME, MASK, shade, shade_hair
from .skin_map import skin_map
from .timecourse import Performance

SHADOW_SIZE = 176
SHADOW_SPAN = 3.9
"""Side of the square that the shadow map covers, dm, around SHADOW_CENTRE."""
SHADOW_CENTRE = np.array([0, 6.95, 0.5])
AGE_WRINKLES = np.array([0.35, 0.25, 0.1, 0.5, 0.55, 0.5, 0.1, 0.1])
"""Depth that age gives each fold of `action_units.WRINKLES`."""
WRINKLE_STRENGTH = 2.2


@lru_cache(maxsize=2)
def _light_buffer(width: int, height: int) -> NDArray[np.float32]:
    """Return a picture to be painted over: taking new memory for each frame would cost a millisecond."""
    return np.empty((height, width, 3), np.float32)


@lru_cache(maxsize=2)
def _buffers(width: int, height: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return a picture's triangle numbers, their weights, the depth of what is solid and that of one layer."""
    return (
        np.empty((height, width), np.int32),
        np.empty((height, width, 2), np.float32),
        np.empty((height, width), np.float32),
        np.empty((height, width), np.float32),
    )


def _rasterize_layer(xy: NDArray, depth: NDArray, triangles: NDArray, z_buffer: NDArray) -> tuple:
    """Draw triangles in front of what is solid; return the rows that they may be in, and the buffers of these rows."""
    height, width = z_buffer.shape
    y = xy[triangles, 1]
    top, bottom = (int(np.clip(edge, 0, height)) for edge in (np.floor(y.min()), np.ceil(y.max())))
    rows = slice(top, bottom)
    triangle_id, barycentric, _, layer_z = (buffer[rows] for buffer in _buffers(width, height))
    triangle_id.fill(-1)
    layer_z[:] = z_buffer[rows]
    no_cull = np.zeros(len(triangles), np.uint8)
    rasterize(xy - [0, top], depth, triangles, no_cull, triangle_id, barycentric, layer_z)
    return rows, triangle_id, barycentric, layer_z


@lru_cache(maxsize=1)
def _weave() -> NDArray:
    threads = np.random.default_rng(4).normal(size=(256, 256)).astype(np.float32)
    return (cv2.GaussianBlur(threads, (0, 0), 1) * 1.5).astype(np.float32)


class FrameDrawer:
    """Draws a person's performance in a scene."""

    def __init__(self, person: Person, scene: Scene, performance: Performance, rng: np.random.Generator) -> None:
        model = head_model()
        self.person, self.scene, self.motion, self.rng = person, scene, performance, rng
        self.weights = shape_weights(
            performance.left, performance.right, performance.closed, performance.gaze[:, 1], model.shape_names
        )
        self.wrinkles = np.column_stack([wrinkle_depths(performance.left), wrinkle_depths(performance.right)])
        self.solid = model.visible & (model.part != LASH)
        self.follow = neck_weight(model.vertices[:, 1])
        self.follow[~model.skin] = 1
        self.hairy = model.triangles[model.part == SKIN]
        self.hairy = self.hairy[person.hair.coverage[self.hairy].max(1) > 0.02]
        self.shading_mesh = model.triangles[model.part != HELPER]
        self.lashes = model.triangles[model.part == LASH]

    def pose(self, frame: int) -> tuple[NDArray, NDArray, NDArray]:
        """Return a frame's vertices with the head straight, the same with it turned, and the turn (3, 3)."""
        identity = self.person.identity
        straight = deform(
            identity.vertices,
            self.weights[frame],
            self.motion.gaze[frame],
            identity.eye_centres,
            identity.expression_scale,
        )
        turn = rotation(*self.motion.pose[frame])
        return straight, turn_head(straight, self.follow, turn), turn

    def project(self, points: NDArray, frame: int) -> tuple[NDArray, NDArray]:
        """Return pixel positions (n, 2), pixel centres at .5, and distance from the camera (n,) in dm."""
        scene = self.scene
        depth = scene.eye[2] - points[:, 2]
        xy = (points[:, :2] - scene.eye[:2]) * [scene.focal, -scene.focal] / depth[:, None]
        return xy + scene.centre + scene.drift[frame], depth

    def landmarks(self, frame: int) -> NDArray:
        """Return the 68 points (68, 2) in pixels; (0, 0) is the centre of the top left pixel."""
        vertices = self.pose(frame)[1]
        return self.project(landmark_positions(vertices, self.person.landmarks), frame)[0] - 0.5

    def draw(self, frame: int, *, mask: bool = False) -> NDArray[np.uint8]:
        """Return one frame, uint8 (H, W, 3) RGB."""
        straight, vertices, turn = self.pose(frame)
        width, height = self.scene.size
        out = _light_buffer(width * SUPERSAMPLING, height * SUPERSAMPLING)
        self.scene.background(frame, out)
        self._draw_surfaces(out, frame, straight, vertices, turn, mask)
        return self._develop(out)

    def _meshes(self, straight: NDArray, vertices: NDArray, normals: NDArray, turn: NDArray, mask: bool) -> dict:
        """Gather the head, clothes and accessories into one set of arrays."""
        model, person = head_model(), self.person
        identity = person.identity
        worn = [(person.sleeves, CLOTH, identity.cloth_colour, False)]
        if mask:
            worn.append((person.mask.fit(straight), MASK, identity.mask_colour, True))
        if person.glasses is not None and identity.glasses is not None:
            worn.append((person.glasses, FRAME, identity.glasses["colour"], True))
        positions, all_normals = [vertices + normals * person.cloth_offset[:, None]], [normals]
        triangles, parts = [model.triangles[self.solid]], [model.part[self.solid]]
        colours = [np.zeros_like(vertices)]
        first = len(vertices)
        for mesh, part, colour, moves in worn:
            points, directions = mesh.vertices, mesh.normals
            if moves:
                points, directions = (points - PIVOT) @ turn.T + PIVOT, directions @ turn.T
            positions.append(points)
            all_normals.append(directions)
            triangles.append((mesh.triangles + first).astype(np.int32))
            parts.append(np.full(len(mesh.triangles), part))
            colours.append(np.repeat(np.asarray(colour, float)[None], len(points), 0))
            first += len(points)
        extra = first - len(vertices)
        return {
            "positions": np.concatenate(positions),
            "normals": np.concatenate(all_normals),
            "triangles": np.concatenate(triangles),
            "parts": np.concatenate(parts),
            "rest": np.concatenate([model.vertices, *positions[1:]]),
            "occlusion": np.concatenate([model.occlusion, np.full(extra, 0.8)]),
            "mouth": np.concatenate([model.inside_mouth, np.zeros(extra)]),
            "cloth": np.concatenate([person.cloth, np.zeros(extra)]),
            "colours": np.concatenate(colours),
        }

    def _shadow_maps(self, meshes: dict, hair_offset: NDArray | None) -> tuple[NDArray, NDArray]:
        """Return what `light_share` needs: depths (3, S, S) seen from the key light, and the map from dm to them."""
        direction = self.scene.light.table[0]
        across = np.cross([0, 1, 0.15], direction)
        across /= np.linalg.norm(across)
        up = np.cross(direction, across)
        scale, half = SHADOW_SIZE / SHADOW_SPAN, SHADOW_SIZE / 2
        to_light = np.stack(
            [
                np.append(across * scale, half - across @ SHADOW_CENTRE * scale),
                np.append(-up * scale, half + up @ SHADOW_CENTRE * scale),
                np.append(-direction, direction @ SHADOW_CENTRE),
            ]
        )
        casting = meshes["positions"]
        if hair_offset is not None:
            casting = casting.copy()
            casting[: len(hair_offset)] += hair_offset
        seen = casting @ to_light[:, :3].T + to_light[:, 3]
        depth = np.full((SHADOW_SIZE, SHADOW_SIZE), 1e9, np.float32)
        which = np.full((SHADOW_SIZE, SHADOW_SIZE), -1, np.int32)
        where = np.empty((SHADOW_SIZE, SHADOW_SIZE, 2), np.float32)
        triangles = meshes["triangles"]
        no_cull = np.zeros(len(triangles), np.uint8)
        rasterize(
            np.ascontiguousarray(seen[:, :2]), np.ascontiguousarray(seen[:, 2]), triangles, no_cull, which, where, depth
        )
        window = np.ones((5, 5), np.uint8)
        return np.stack([depth, cv2.erode(depth, window), cv2.dilate(depth, window)]), to_light

    def _relief(self, frame: int) -> NDArray:
        """Return the skin's relief with the folds of this frame."""
        person, layout = self.person, skin_map()
        age = np.tile(person.identity.age * AGE_WRINKLES, 2)
        depth = ((self.wrinkles[frame] + age) * WRINKLE_STRENGTH).astype(np.float32)
        (top, bottom), (left, right) = layout.wrinkle_box
        folds = (depth @ layout.wrinkles_flat).reshape(bottom - top, right - left)
        person.wrinkled[top:bottom, left:right] = person.skin.relief[top:bottom, left:right] + folds
        return person.wrinkled

    def _draw_surfaces(self, out, frame: int, straight, vertices, turn, mask: bool) -> None:
        model, person, scene = head_model(), self.person, self.scene
        identity, hair, light = person.identity, person.hair, scene.light
        height, width = out.shape[:2]
        triangle_id, barycentric, z_buffer, _ = _buffers(width, height)
        normals = vertex_normals(vertices, self.shading_mesh)
        meshes = self._meshes(straight, vertices, normals, turn, mask)
        xy, depth = self.project(meshes["positions"], frame)
        xy *= SUPERSAMPLING
        triangle_id.fill(-1)
        z_buffer.fill(1e9)
        cull = (meshes["parts"] < CLOTH).astype(np.uint8)
        rasterize(xy, depth, meshes["triangles"], cull, triangle_id, barycentric, z_buffer)
        lift = normals * (hair.coverage * hair.length * 0.55)[:, None] if hair.shells else None
        shadows, to_light = self._shadow_maps(meshes, lift)
        eyes_now = np.array([vertices[k].mean(0) for k in model.eyes])
        eyes_rest = np.array([model.vertices[k].mean(0) for k in model.eyes])
        shade(
            triangle_id, barycentric, meshes["triangles"], meshes["parts"], meshes["positions"], meshes["normals"],
            meshes["rest"], meshes["occlusion"], meshes["mouth"], meshes["cloth"], meshes["colours"],
            person.skin.albedo, self._relief(frame), person.skin.gloss, turn, eyes_rest, eyes_now,
            identity.iris_colour, light.pupil, light.table, scene.eye, shadows, to_light, identity.cloth_colour,
            _weave(), out,
        )  # fmt: skip

        rows, triangle_id, *_ = _rasterize_layer(xy, depth - 0.01, self.lashes, z_buffer)
        out[rows][triangle_id >= 0] *= 0.50 if identity.makeup > 0.3 else 0.66

        for points, directions, triangles, rest, coverage, layer, softness, (across, along) in self._hair_layers(
            vertices, normals, turn
        ):
            xy, depth = self.project(points, frame)
            rows, triangle_id, barycentric, layer_z = _rasterize_layer(xy * SUPERSAMPLING, depth, triangles, z_buffer)
            shade_hair(
                triangle_id, barycentric, triangles, points, directions, rest, layer, coverage, strand_texture(),
                identity.hair_colour, light.table, scene.eye, shadows, to_light, turn, across, along, softness,
                layer_z, z_buffer[rows], out[rows],
            )  # fmt: skip

    def _hair_layers(self, vertices: NDArray, normals: NDArray, turn: NDArray) -> Iterator[tuple]:
        """Yield the layers of hair from the inside out, as arguments of `shade_hair`."""
        hair, model = self.person.hair, head_model()
        if hair.curtain is not None:
            sheet = hair.curtain
            points = turn_head(sheet.vertices, neck_weight(sheet.vertices[:, 1] - 0.15), turn)
            directions = vertex_normals(points, sheet.triangles)
            outward = np.sign((directions * (points - [0, 7, 0.4])).sum(1))[:, None]
            for offset, layer in ((-0.03, 0.05), (0.02, 0.5)):
                shell = points + directions * offset * outward
                yield shell, directions, sheet.triangles, sheet.vertices, sheet.alpha, layer, 0.4, (3.0, 0.6)
        gravity = np.array([0, -0.35, -0.35]) @ turn.T
        for k in range(hair.shells):
            share = (k + 1) / hair.shells
            reach = (hair.length * share * np.maximum(hair.coverage, 0.15))[:, None]
            layer = share * (0.75 if hair.shells > 3 else 0.5)
            shell = vertices + (normals + share * gravity) * reach
            yield shell, normals, self.hairy, model.vertices, hair.coverage, layer, 0.6, hair.strand_scale

    def _develop(self, linear: NDArray) -> NDArray[np.uint8]:
        """Turn linear light at twice the size into an sRGB frame."""
        light, (width, height) = self.scene.light, self.scene.size
        noise = self.rng.standard_normal((height, width, 3), np.float32)
        noise *= np.float32(self.scene.grain)
        return develop(linear, light.exposure, light.vignette, noise)
