"""What training draws over faces: it covers what it should, and says so."""

import numpy as np
import pytest

from microx_utils.components import COMPONENTS, LANDMARK_GROUPS
from microx_utils.robust.inputs import component_centres
from microx_utils.robust.occluders import OCCLUDERS, draw_occluder, draw_some, photograph

MASKS = ("surgical mask", "FFP2 mask", "printed mask")
HIDES = {
    **dict.fromkeys(MASKS, ("mouth",)),
    "sunglasses": ("left_eye", "right_eye"),
    "fringe": ("left_eyebrow", "right_eyebrow"),
    "scarf": ("mouth",),
}
SPARES = {
    **dict.fromkeys(MASKS, ("left_eyebrow", "right_eyebrow")),
    "sunglasses": ("mouth",),
    "fringe": ("mouth", "nose"),
    "scarf": ("left_eye", "right_eye", "left_eyebrow", "right_eyebrow"),
}


def level_face() -> np.ndarray:
    """A face's 68 points, as far as they matter: each part around where it usually is."""
    places = {"jaw": (0, 0.9), "right_eyebrow": (-0.55, -0.35), "left_eyebrow": (0.55, -0.35), "nose": (0, 0.55)}
    places |= {"right_eye": (-0.5, 0), "left_eye": (0.5, 0), "mouth": (0, 1.1)}
    points = np.zeros((68, 2), np.float32)
    for name, group in LANDMARK_GROUPS.items():
        points[list(group)] = places[name]
    return points


def crops_of(frames: int = 1, size: int = 24) -> np.ndarray:
    return np.full((frames, 7, size, size, 3), 128, np.uint8)


@pytest.mark.parametrize("name", HIDES)
def test_an_occluder_hides_its_part_and_spares_others(name: str) -> None:
    visible = np.concatenate(
        [draw_occluder(crops_of(), level_face()[None], name, np.random.default_rng(k)) for k in range(40)]
    ).mean(axis=0)
    assert max(visible[COMPONENTS.index(part)] for part in HIDES[name]) < 0.45
    assert min(visible[COMPONENTS.index(part)] for part in SPARES[name]) > 0.95


@pytest.mark.parametrize("name", OCCLUDERS)
def test_only_what_is_said_to_be_covered_changes(name: str) -> None:
    """Where nothing was drawn the pixels are as they were, in every frame; and something was drawn."""
    crops = crops_of(3)
    visible = draw_occluder(crops, np.repeat(level_face()[None], 3, axis=0), name, np.random.default_rng(1))
    changed = (crops != 128).any(axis=(2, 3, 4))
    assert changed.any()
    assert changed[visible < 1].all()
    assert visible.shape == (3, 7) and (visible >= 0).all() and (visible <= 1).all()


def test_an_occluder_stands_still_on_a_face_that_moves() -> None:
    """In a crop that follows a falling jaw, the mask's upper edge moves up."""
    points = np.repeat(level_face()[None], 2, axis=0)
    points[1, 48:68, 1] += 0.3
    assert component_centres(points)[1, -1, 1] > component_centres(points)[0, -1, 1]
    edges = []
    for seed in range(20):
        crops = crops_of(2, size=48)
        draw_occluder(crops, points, "scarf", np.random.default_rng(seed))
        mouths = crops[:, COMPONENTS.index("mouth"), :, 24]
        edges.append([(mouth != 128).any(axis=1).argmax() for mouth in mouths])
    inside = np.array([each for each in edges if each[1] > 0])  # others cover the whole crop
    assert len(inside) > 2 and (inside[:, 1] < inside[:, 0]).all()


@pytest.mark.parametrize("name", OCCLUDERS)
def test_what_is_drawn_changes_from_frame_to_frame(name: str) -> None:
    """Real cloth is never still, and the network sees what has changed."""
    still = np.repeat(level_face()[None], 4, axis=0)
    changes, hidden = [], []
    for seed in range(30):
        crops = crops_of(4)
        visible = draw_occluder(crops, still, name, np.random.default_rng(seed))
        hidden += [(visible < 0.1).all(axis=0)]
        changes += [np.abs(np.diff(crops.astype(int), axis=0)).mean(axis=(0, 2, 3, 4))]
    moved = np.array(changes)[np.array(hidden)]
    assert len(moved) and (moved > 0.2).mean() > 0.9 and moved.max() < 40


@pytest.mark.parametrize("name", MASKS)
def test_no_two_masks_are_alike(name: str) -> None:
    """Colour, the side the light comes from, and height vary: some have slipped below the nose."""
    mouth, nose = COMPONENTS.index("mouth"), COMPONENTS.index("nose")
    pictures, visible = [], []
    for seed in range(60):
        crops = crops_of()
        visible.append(draw_occluder(crops, level_face()[None], name, np.random.default_rng(seed))[0])
        pictures.append(crops[0, mouth].astype(float))
    seen, hidden = np.array(visible), [p for p, v in zip(pictures, visible, strict=True) if v[mouth] < 0.05]
    assert np.std([picture.mean() for picture in hidden]) > 25
    sides = np.array([picture[:, :8].mean() - picture[:, -8:].mean() for picture in hidden])
    assert sides.max() > 5 and sides.min() < -5
    slipped = (seen[:, mouth] < 0.5) & (seen[:, nose] > 0.9)
    assert 0.02 < slipped.mean() < 0.4


def test_every_kind_is_drawn_now_and_then() -> None:
    rng = np.random.default_rng(0)
    hidden = np.concatenate([draw_some(crops_of(), level_face()[None], rng) for _ in range(100)]) < 0.5
    assert hidden.any(axis=0).all()
    assert sum(chance for _, chance, _ in OCCLUDERS.values()) == pytest.approx(1)


def test_light_changes_all_frames_alike_and_the_original_not_at_all() -> None:
    rng = np.random.default_rng(0)
    crops = np.repeat(rng.integers(0, 256, (1, 7, 16, 16, 3), np.uint8), 3, axis=0)
    before = crops.copy()
    for seed in range(12):
        changed = photograph(crops, np.random.default_rng(seed))
        assert changed.dtype == np.uint8 and changed.shape == crops.shape
        assert (changed == changed[:1]).all() and (changed != crops).any()
    assert (crops == before).all()
