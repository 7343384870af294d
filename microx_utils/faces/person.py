"""One person, ready to be drawn: identity, skin, hair, clothes and accessories."""

from functools import lru_cache

import numpy as np

from .accessories import MaskFitter, Mesh, cloth_coverage, make_glasses, make_sleeves
from .hair import make_hair
from .head import head_model, smooth
from .identity import sample_identity
from .landmarks import person_landmarks
from .raster import vertex_normals
from .skin import paint_skin
from .skin_map import skin_map

CLOTH_THICKNESS, SCARF_THICKNESS = 0.07, 0.13
"""How far cloth stands off the skin, dm."""


class Person:
    """All properties of a person that are constant within a clip.

    Attributes
    ----------
    identity, skin, hair
        See their modules.
    cloth
        (V,) 0 to 1, how far a vertex is under clothes.
    cloth_offset
        (V,) dm.
    glasses, sleeves
        Meshes; `glasses` is None for most people.
    landmarks
        Vertex indices and weights of the 68 points.
    """

    def __init__(self, seed: int) -> None:
        model = head_model()
        identity = self.identity = sample_identity(model, seed)
        self.skin = paint_skin(skin_map(), identity)
        self.hair = make_hair(model, identity)
        self.cloth = cloth_coverage(model, identity)
        self.cloth_offset = self.cloth * CLOTH_THICKNESS
        if identity.hair_style == "scarf":
            self._put_on_scarf(seed)
        self.glasses: Mesh | None = make_glasses(model, identity) if identity.glasses else None
        dressed = identity.vertices + vertex_normals(identity.vertices, model.triangles) * self.cloth_offset[:, None]
        self.sleeves = make_sleeves(model, dressed)
        self.mask = MaskFitter(model)
        self.landmarks = person_landmarks(model, identity)
        self.wrinkled = self.skin.relief.copy()  # the relief with this frame's expression folds

    def _put_on_scarf(self, seed: int) -> None:
        model, identity = head_model(), self.identity
        at = model.vertices
        angle = np.arctan2(at[:, 0], at[:, 2] - 0.45)
        oval = (angle / 1.02) ** 2 + ((at[:, 1] - 7.12) / 0.93) ** 2
        scarf = smooth(0.92, 1.08, oval) * model.skin * (at[:, 1] > 5.3)
        rng = np.random.default_rng([13, seed])
        colour = rng.uniform(0.02, 0.5, 3)
        identity.cloth_colour = colour.mean() + (colour - colour.mean()) * 0.5
        ears = model.ears > 0.15  # flattened under the cloth
        x = identity.vertices[ears, 0]
        identity.vertices[ears, 0] = np.sign(x) * np.minimum(np.abs(x), 0.74)
        identity.glasses = None
        self.cloth = np.maximum(self.cloth, scarf)
        self.cloth_offset = self.cloth * SCARF_THICKNESS


@lru_cache(maxsize=8)
def load_person(seed: int) -> Person:
    """Return the person with this seed; the last few are kept (about half a second to paint one)."""
    return Person(seed)
