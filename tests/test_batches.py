"""Batches: who is on which side, what a network is shown, and augmentation that keeps labels and motion true."""

import dataclasses

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from tiny_run import TINY, fake_store, tiny

from microx_utils import batches
from microx_utils.batches import MIRRORED, augment, model_inputs
from microx_utils.components import COMPONENTS
from microx_utils.crops import CropStore
from microx_utils.labels import EMOTIONS
from microx_utils.segments import make_segments

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


def test_model_inputs_pick_channels_and_components() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 3, 7, 4, 4, 3), np.uint8)
    plain = model_inputs(crops, TINY)
    assert list(plain) == ["nose", "mouth"]
    np.testing.assert_array_equal(plain["mouth"], crops[:, :, COMPONENTS.index("mouth")])
    blue_first = model_inputs(crops, tiny(pixels="raw"))
    np.testing.assert_array_equal(blue_first["nose"], plain["nose"][..., [2, 1, 0]])


def test_grey_is_opencvs_grey() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 3, 7, 4, 4, 3), np.uint8)
    found = model_inputs(crops, tiny(colour="grey_three"))["nose"]
    expected = [
        cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for clip in crops for frame in clip[:, COMPONENTS.index("nose")]
    ]
    assert found.dtype == np.uint8
    for channel in range(3):
        np.testing.assert_array_equal(found[..., channel].reshape(-1, 4, 4), np.stack(expected))


def test_one_grey_channel_is_a_third_of_three_equal_ones() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 3, 7, 4, 4, 3), np.uint8)
    one = model_inputs(crops, tiny(colour="grey"))["nose"]
    three = model_inputs(crops, tiny(colour="grey_three"))["nose"]
    assert one.shape == (2, 3, 4, 4, 1)
    np.testing.assert_array_equal(np.repeat(one, 3, axis=-1), three)


def test_a_joined_block_sees_its_components_in_order() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 3, 7, 4, 4, 3), np.uint8)
    given = model_inputs(crops, tiny(components=("nose", "left_eye+right_eye")))
    assert list(given) == ["nose", "left_eye_and_right_eye"]
    left, right = (crops[:, :, COMPONENTS.index(name)] for name in ("left_eye", "right_eye"))
    np.testing.assert_array_equal(given["left_eye_and_right_eye"], np.concatenate([left, right], axis=-1))


def test_batches_are_the_segments_crops() -> None:
    store = fake_store()
    table = pd.DataFrame({"first": [9, 0, 3], "frames": [3, 3, 3], "emotion": ["fear", "neutral", "sad"]})
    (crops, labels), (rest, _) = batches.batches(table, store, TINY, size=2)
    np.testing.assert_array_equal(crops["nose"][0], store.crops[9:12, COMPONENTS.index("nose")])
    assert labels.tolist() == [EMOTIONS.index("fear"), EMOTIONS.index("neutral")]
    assert rest["mouth"].shape == (1, 3, 8, 8, 3)


def test_a_short_segment_repeats_its_frames() -> None:
    store = fake_store()
    table = pd.DataFrame({"first": [9], "frames": [2], "emotion": ["fear"]})
    [(crops, _)] = batches.batches(table, store, tiny(frames=4), size=2)
    np.testing.assert_array_equal(crops["nose"][0], store.crops[[9, 9, 10, 10], COMPONENTS.index("nose")])


def test_augmented_batches_depend_on_the_generator_alone() -> None:
    store = fake_store()
    table = make_segments(store.clips, length=3, step=3).head(6)

    def mouths(augment_by: np.random.Generator | None) -> NDArray[np.uint8]:
        shown = batches.batches(table, store, TINY, size=2, augment_by=augment_by)
        return np.concatenate([inputs["mouth"] for inputs, _ in shown])

    augmented, again = (mouths(np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(augmented, again)
    assert (augmented != mouths(np.random.default_rng(6))).any()
    assert (augmented != mouths(None)).any()


def test_a_hidden_component_shows_the_given_crop_and_leaves_the_store_alone() -> None:
    store = fake_store()
    before = store.crops.copy()
    table = make_segments(store.clips, length=3, step=3).head(2)
    even = np.full((8, 8, 3), 7, np.uint8)
    [(crops, _)] = batches.batches(table, store, TINY, size=2, hidden={"mouth": even})
    assert (crops["mouth"] == 7).all()
    assert (crops["nose"] != 7).any()
    np.testing.assert_array_equal(store.crops, before)


def own_store() -> CropStore:
    """The fake people of BAUM, the last four of whom are taken for one's own recordings, in two conditions."""
    whole = fake_store(subjects=14)
    clips = whole.clips.copy()
    own = clips["subject"].isin(sorted(clips["subject"].unique())[-4:])
    clips.loc[own, "corpus"] = "own"
    clips.loc[own & clips["emotion"].isin(["happy", "sad"]), "condition"] = "mask"
    return dataclasses.replace(whole, clips=clips, key="own")


def test_half_of_the_own_people_join_training_in_their_plain_takes() -> None:
    store = own_store()
    plain = dataclasses.replace(store, clips=store.clips[store.clips["corpus"] != "own"].reset_index(drop=True))
    alone = batches.split_table(TINY, plain)
    joined = {half: batches.split_table(tiny(own_people=half), store) for half in ("odd", "even")}
    people = {}
    for half, table in joined.items():
        own = table["corpus"] == "own"
        pd.testing.assert_frame_equal(table[~own].reset_index(drop=True), alone)  # nobody else changes sides
        assert set(table.loc[own, "split"]) == {"train"}
        assert set(table.loc[own, "condition"]) == {"plain"}
        people[half] = sorted(table.loc[own, "subject"].unique())
    assert people == {"odd": ["s010", "s012"], "even": ["s011", "s013"]}


@pytest.mark.parametrize("rule", ["subject", "clip"])
def test_longer_segments_divide_people_and_clips_as_shorter_ones_do(rule: str) -> None:
    store = fake_store(frames=24)
    tables = [batches.split_table(tiny(split=rule, frames=n, step=n, max_segments=None), store) for n in (10, 20)]
    group = "subject" if rule == "subject" else "clip_id"
    shorter, longer = (table.groupby(group)["split"].agg(set).to_dict() for table in tables)
    assert shorter == longer
    assert all(len(side) == 1 for side in shorter.values())


def test_own_people_are_never_trained_on_unasked() -> None:
    with pytest.raises(ValueError, match="uses no own recordings, but the store holds some"):
        batches.split_table(TINY, own_store())
    with pytest.raises(ValueError, match="trains on own recordings, but the store holds none"):
        batches.split_table(tiny(own_people="odd"), fake_store())
