"""Who a person is: face shape, age, colouring, hair and clothes, all drawn from one seed."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .head import EYE_LEVEL, TEMPLATE_EYE_DISTANCE, HeadModel

# fmt: off
SPREAD = {
    "head": 0.15, "eyes": 0.20, "nose": 0.20, "mouth": 0.20, "forehead": 0.15, "eyebrows": 0.18, "cheek": 0.17,
    "chin": 0.16, "ears": 0.2, "neck": 0.1, "asym": 0.12,
}
# fmt: on
"""Standard deviation of the shape sliders, by region of the face."""
OPPOSITES = {
    "incr": "decr",
    "up": "down",
    "out": "in",
    "forward": "backward",
    "convex": "concave",
    "uncompress": "compress",
}
"""How the names of the two shape targets of one slider end."""
SKIPPED_SLIDERS = ("pointed", "neck-trans", "mouth-trans-in", "triangle")
"""Sliders that produce caricatures."""
HAIR_COLOURS = (
    *((0.012, 0.009, 0.007), (0.045, 0.025, 0.013), (0.11, 0.055, 0.022)),  # black, dark and light brown
    *((0.32, 0.20, 0.09), (0.20, 0.05, 0.015)),  # blond, red
)
MEANS = {
    "eyes/eye-scale": 0.3,
    "mouth/mouth-scale-horiz": 0.05,
    "mouth/mouth-trans": 0.4,
    "nose/nose-scale-vert": -0.5,
    "nose/nose-trans": 0.4,
}
"""Mean of the sliders whose template lies off the average of real faces: see benchmarks/realism.py."""
IRIS_COLOURS = ((0.035, 0.017, 0.008), (0.07, 0.035, 0.012), (0.10, 0.09, 0.03), (0.10, 0.16, 0.20), (0.07, 0.12, 0.08))
FRAME_COLOURS = ((0.01, 0.01, 0.01), (0.05, 0.02, 0.01), (0.3, 0.28, 0.25), (0.02, 0.02, 0.08))
MASK_COLOURS = ((0.62, 0.78, 0.88), (0.80, 0.82, 0.84), (0.02, 0.02, 0.025), (0.50, 0.72, 0.68), (0.75, 0.60, 0.66))


@dataclass
class Identity:
    """One person at rest. Colours are linear RGB reflectances.

    Attributes
    ----------
    vertices
        (V, 3) dm, the neutral face.
    eye_centres, eye_distance
        (2, 3) and dm: centres of the left and right eyeball and the distance between them.
    expression_scale
        Size of expressions on this face, relative to the template.
    gender
        0 (feminine) to 1 (masculine) shape; `male` is the grooming that goes with it.
    age
        0 (about 25 years) to 0.75 (old).
    melanin
        0 to 1.
    """

    seed: int
    vertices: NDArray
    eye_centres: NDArray
    eye_distance: float
    expression_scale: float
    gender: float
    male: bool
    age: float
    melanin: float
    hair_colour: NDArray
    brow_colour: NDArray
    iris_colour: NDArray
    hair_style: str
    beard: float
    makeup: float
    freckles: float
    glasses: dict | None
    cloth_colour: NDArray
    cloth_kind: str
    mask_colour: NDArray
    gloss: float
    brow_curve: dict = field(default_factory=dict)
    """Keyword arguments of `landmarks.brow_height`, set when the brows are painted."""


def sample_identity(model: HeadModel, seed: int) -> Identity:
    """Draw the person with this seed; the same seed is the same person everywhere."""
    rng = np.random.default_rng([20240, seed])
    gender = float(np.clip(rng.beta(0.35, 0.35), 0.03, 0.97))
    ancestry = rng.dirichlet([0.35, 0.35, 0.35])  # of MakeHuman's African, Asian and Caucasian base shapes
    age = float(np.clip(rng.beta(0.9, 2.2), 0, 0.75))
    vertices = model.vertices + _macro_shape(model, rng, gender, age, ancestry) + _detail_shape(model, rng)
    eyes = np.array([vertices[i].mean(0) for i in model.eyes])
    vertices = vertices - eyes.mean(0) + EYE_LEVEL
    eye_distance = float(np.linalg.norm(eyes[0] - eyes[1]))
    return Identity(
        seed=seed,
        vertices=vertices,
        eye_centres=np.array([vertices[i].mean(0) for i in model.eyes]),
        eye_distance=eye_distance,
        expression_scale=float(np.clip(eye_distance / TEMPLATE_EYE_DISTANCE, 0.85, 1.1)),
        gender=gender,
        age=age,
        **_appearance(rng, gender, age, ancestry),
    )


def _macro_shape(model: HeadModel, rng, gender: float, age: float, ancestry: NDArray) -> NDArray:
    weight, muscle = rng.normal(0, 0.45), rng.normal(0, 0.35)

    def three_way(value: float) -> dict[str, float]:
        return {"min": max(-value, 0), "average": 1 - min(abs(value), 1), "max": max(value, 0)}

    offsets = np.zeros_like(model.vertices)
    for sex, sex_share in (("female", 1 - gender), ("male", gender)):
        for years, years_share in (("young", 1 - age), ("old", age)):
            for group, share in zip(("african", "asian", "caucasian"), ancestry, strict=True):
                if sex_share * years_share * share > 1e-3:
                    offsets += sex_share * years_share * share * model.target(f"macro/{group}-{sex}-{years}")
            for muscle_name, muscle_share in three_way(muscle).items():
                for weight_name, weight_share in three_way(weight).items():
                    share = sex_share * years_share * muscle_share * weight_share
                    if share > 1e-3:
                        name = f"macro/universal-{sex}-{years}-{muscle_name}muscle-{weight_name}weight"
                        offsets += share * model.target(name)
    return offsets


def shape_sliders(names: list[str]) -> dict[str, list[tuple[int, str]]]:
    """Group detail targets into sliders: name -> [(+1, target), (-1, opposite target)], or one entry if unopposed."""
    sliders: dict[str, list[tuple[int, str]]] = {}
    positive = {down: up for up, down in OPPOSITES.items()}
    for name in names:
        stem, _, ending = name.rpartition("-")
        if name.startswith("macro/") or f"{stem}-{positive.get(ending)}" in names:
            continue
        opposite = f"{stem}-{OPPOSITES.get(ending)}"
        if opposite in names:
            sliders[stem] = [(1, name), (-1, opposite)]
        else:
            sliders[name] = [(1, name)]
    return sliders


def _detail_shape(model: HeadModel, rng) -> NDArray:
    offsets = np.zeros_like(model.vertices)
    both_sides: dict[str, float] = {}
    for slider, targets in shape_sliders(model.target_names).items():
        region, name = slider.split("/")
        if region == "head" and ("trans" in name or "angle" in name):
            continue
        if any(skipped in name for skipped in SKIPPED_SLIDERS):
            continue
        if name[:2] in ("l-", "r-"):  # left and right share a coefficient, and differ a little
            name = name[2:]
            value = both_sides.setdefault(name, rng.normal(0, SPREAD[region])) + rng.normal(0, 0.04)
        else:
            value = rng.normal(0, SPREAD[region])
        if len(targets) == 1:
            value = abs(value) * 0.6
        value = float(np.clip(value, -0.5, 0.5)) + MEANS.get(f"{region}/{name}", 0.0)
        for sign, target in targets:
            if value * sign > 0:
                offsets += abs(value) * model.target(target)
    return offsets


def _appearance(rng, gender: float, age: float, ancestry: NDArray) -> dict:
    light = ancestry[2]
    melanin = float(np.clip(ancestry @ np.array([0.80, 0.30, 0.20]) + rng.normal(0, 0.09), 0.03, 0.95))
    male = bool(rng.random() < gender)
    grey = age > 0.4 and rng.random() < 0.6
    fair, blond = 1 - melanin, max(0.0, light - 0.4)
    odds = np.array([1.0, 0.9 * fair, 0.7 * fair**2, 0.55 * blond, 0.2 * blond])
    hair = np.array(HAIR_COLOURS[rng.choice(5, p=odds / odds.sum())]) * rng.uniform(0.8, 1.25)
    if grey:
        hair = hair * 0.4 + np.array([0.30, 0.30, 0.29]) * rng.uniform(0.5, 1)
    odds = np.array([1, 0.6, 0.25 * fair, 0.8 * light**2 * fair**3, 0.4 * light**2 * fair])
    iris = np.array(IRIS_COLOURS[rng.choice(5, p=odds / odds.sum())])
    if male:
        style = rng.choice(["short", "buzz", "medium", "bald", "receding"], p=[0.42, 0.18, 0.18, 0.08, 0.14])
        beard = float(rng.choice([0, 0.35, 0.7, 1.0], p=[0.35, 0.3, 0.2, 0.15]))
        makeup = 0.0
    else:
        style = rng.choice(["long", "medium", "tied", "short", "scarf"], p=[0.40, 0.2, 0.22, 0.1, 0.08])
        beard = 0.0
        makeup = float(rng.choice([0, 0.5, 1], p=[0.4, 0.35, 0.25]))
    freckles = float(max(0, rng.normal(-0.3, 0.6)) * fair)
    glasses = None
    if rng.random() < 0.28:
        glasses = {
            "roundness": float(rng.uniform(2.2, 5)),  # exponent of the superellipse
            "half_width": rng.uniform(0.20, 0.25),
            "half_height": rng.uniform(0.13, 0.20),
            "thickness": rng.uniform(0.010, 0.022),
            "colour": np.array(FRAME_COLOURS[rng.integers(4)]),
        }
    cloth = rng.uniform(0.01, 0.6, 3)
    cloth = cloth.mean() + (cloth - cloth.mean()) * rng.uniform(0.1, 0.8)
    return {
        "male": male,
        "melanin": melanin,
        "hair_colour": hair,
        "brow_colour": np.minimum(hair, [0.12, 0.07, 0.04]) * 0.9,
        "iris_colour": iris,
        "hair_style": str(style),
        "beard": beard,
        "makeup": makeup,
        "freckles": freckles,
        "glasses": glasses,
        "cloth_colour": np.clip(cloth * rng.uniform(0.3, 1.2), 0.01, 0.8),
        "cloth_kind": str(rng.choice(["tee", "turtle", "shirt", "vneck"])),
        "mask_colour": np.array(MASK_COLOURS[rng.choice(5, p=[0.45, 0.25, 0.15, 0.1, 0.05])]),
        "gloss": float(rng.uniform(0.5, 1.4)),
    }
