"""Augmentation: labels must stay true, motion must stay what it was, and a state of the generator decides it all."""

import numpy as np
import pytest
from numpy.typing import NDArray

from microx_utils import batches
from microx_utils.batches import MIRRORED, augment
from microx_utils.components import COMPONENTS

SHAPE = (3, 4, len(COMPONENTS), 12, 12, 3)


def segments(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(60, 190, shape).astype(np.uint8)


@pytest.fixture
def only_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing but the mirror, so that it can be seen by itself."""
    for name in ("CONTRAST", "BRIGHTNESS", "COLOUR", "SHIFT"):
        monkeypatch.setattr(batches, name, 0)


def test_a_mirror_exchanges_left_and_right() -> None:
    names = [COMPONENTS[place] for place in MIRRORED]
    assert names == ["full_face", "right_eyebrow", "left_eyebrow", "right_eye", "left_eye", "nose", "mouth"]
    assert tuple(MIRRORED[place] for place in MIRRORED) == tuple(range(len(COMPONENTS)))


def test_mirrored_or_not_and_both_happen(only_mirror: None) -> None:
    given = segments(shape=(40, *SHAPE[1:]))
    changed = augment(given, np.random.default_rng(0))
    mirrored = given[:, :, list(MIRRORED), :, ::-1]
    was = [np.array_equal(a, b) for a, b in zip(changed, given, strict=True)]
    turned = [np.array_equal(a, b) for a, b in zip(changed, mirrored, strict=True)]
    assert all(a != b for a, b in zip(was, turned, strict=True)), "each is one or the other"
    assert 5 < sum(turned) < 35


def test_shape_and_dtype_stay_and_the_input_is_not_changed() -> None:
    given = segments()
    before = given.copy()
    changed = augment(given, np.random.default_rng(1))
    assert (changed.shape, changed.dtype) == (given.shape, np.uint8)
    np.testing.assert_array_equal(given, before)
    assert (changed != given).any()


def test_read_only_crops_are_accepted() -> None:
    given = segments()
    given.setflags(write=False)  # the store's memory map is
    augment(given, np.random.default_rng(1))


def test_the_generators_state_decides_everything() -> None:
    given = segments()
    first, again = (augment(given, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != augment(given, np.random.default_rng(8))).any()


def test_segments_of_a_batch_change_differently() -> None:
    given = np.repeat(segments(shape=(1, *SHAPE[1:])), 2, axis=0)
    first, second = augment(given, np.random.default_rng(2))
    assert (first != second).any()


@pytest.mark.parametrize("seed", range(6))
def test_what_stands_still_still_stands_still(seed: int) -> None:
    still = np.repeat(segments(seed, (2, 1, *SHAPE[2:])), 5, axis=1)
    changed = augment(still, np.random.default_rng(seed))
    np.testing.assert_array_equal(changed, np.repeat(changed[:, :1], 5, axis=1))


def test_motion_stays_what_it_was() -> None:
    """A bright dot that moves by one pixel a frame still does, to one side or, in the mirror, to the other."""
    given = np.full((20, 4, len(COMPONENTS), 16, 16, 3), 60, np.uint8)
    for frame in range(4):
        given[:, frame, :, 8, 6 + frame] = 200
    changed = augment(given, np.random.default_rng(3))
    for segment in changed:
        for component in segment.swapaxes(0, 1):  # (frames, size, size, 3)
            brightest = component.sum(axis=-1).reshape(len(component), -1).argmax(axis=1)
            rows, columns = np.divmod(brightest, 16)
            assert len(set(rows)) == 1
            assert abs(np.diff(columns)).tolist() == [1, 1, 1]
            assert len(set(np.diff(columns))) == 1


def test_light_is_changed_alike_in_all_components_and_within_the_stated_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SHIFT", 0)
    even = np.full(SHAPE, 120, np.uint8)  # at its own mean, contrast changes nothing
    changed = augment(even, np.random.default_rng(4)).astype(float)
    for segment in changed:
        assert len(np.unique(segment.reshape(-1, 3), axis=0)) == 1
    light, lamp = batches.BRIGHTNESS, batches.COLOUR
    assert changed.min() >= (120 - light) * (1 - lamp) - 0.5
    assert changed.max() <= (120 + light) * (1 + lamp) + 0.5
    casts = np.ptp(changed[:, 0, 0, 0, 0], axis=-1)  # levels between the channels of one segment: another lamp
    assert (casts > 3).all()
